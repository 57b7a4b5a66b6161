/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - how a room says which keys it reads
 *
 * A key is written once: in the table of the room that reads it. config/ walks the tables to check a file, to fill the
 * room's struct, to print the annotated defaults and the effective configuration. Everything a struct points to lives in
 * the configuration's arena and is borrowed for as long as that configuration is held.
 */
#ifndef NIDDGW_CONFIG_SCHEMA_H
#define NIDDGW_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_TYPE_END,
	CONF_TYPE_TEXT,   /* const char *; NULL when absent and no default */
	CONF_TYPE_UINT,   /* uint64_t, least..most */
	CONF_TYPE_REAL,   /* double, least..most */
	CONF_TYPE_BOOL,   /* bool */
	CONF_TYPE_WORD,   /* int: index into words; -1 when absent and no default */
	CONF_TYPE_TEXTS,  /* struct conf_texts: an array or list of strings */
	CONF_TYPE_FILE,   /* const char *: a path, made absolute against the main file's directory; must be readable */
	CONF_TYPE_KEYFILE,/* as FILE, and it is a secret: owner and mode are checked */
	CONF_TYPE_SECRET, /* const char *: written "file:PATH" in the file, kept as the absolute PATH; owner, mode and that it holds one non-empty line are checked */
	CONF_TYPE_GROUP,  /* an embedded struct, items */
	CONF_TYPE_LIST,   /* struct conf_list of structs: items, or variants chosen by a WORD key, or more keys that only the element tells */
	CONF_TYPE_INT,    /* int64_t, least..most; below least when absent and no default */
	CONF_TYPE_PATH,   /* const char *: a path, made absolute; it need not be there */
};

enum conf_reload { CONF_LIVE, CONF_DEVICE, CONF_RESTART }; /* takes effect at once / for each device when it is next idle / at the next start */

struct conf_texts {
	const char *const *v;
	size_t n;
};

struct conf_list {
	void **v; /* pointers to structs whose first member is struct conf_head */
	size_t n;
};

struct conf_where {
	const char *file; /* as it was opened */
	unsigned line;
};

/* Begins every struct that stands in a list. The key "name" of its elements is the loader's: no table lists it. */
struct conf_head {
	const char *name; /* NULL where the list has no names (contexts, oscore, rules); "" when it is missing, which is a fault */
	struct conf_where at;
};

struct conf_item;
struct conf_variant {
	const char *word; /* value of the choosing key, "t8" */
	const struct conf_item *items;
	size_t size;      /* of the variant's struct, which begins with the common one */
	bool built;       /* false: naming it is a fault that says so */
};

/* Begins every struct of a list that has struct conf_more. */
struct conf_more_head {
	struct conf_head head;
	const struct conf_item *more; /* the keys that it has beside the common ones; NULL: nobody knows */
};

/* Who knows which keys an element has when no table of ours lists them. The tables live as long as whoever knows them. */
struct conf_load;
struct conf_more {
	const char *chooser; /* the key that tells what an element is; when it is absent its name does */
	/* *size: octets of the struct with the members of that table. NULL: not known, then keys that are in no table are let pass. */
	const struct conf_item *(*of)(struct conf_load *load, const char *what, size_t *size);
	/* For the annotated file: each kind there is, *what is its name; arg is the schema's. NULL behind the last. */
	const struct conf_item *(*each)(void *arg, size_t i, const char **what);
};

struct conf_item {
	const char *name;
	enum conf_type type;
	size_t offset;
	const char *text;          /* default of TEXT, WORD (as its word), FILE; NULL: none */
	double number, least, most;/* default and range of UINT, REAL, BOOL (number) */
	const char *const *words;  /* WORD: NULL-terminated */
	uint32_t unbuilt;          /* WORD: bit i set: word i is known and not built in this version */
	bool required;
	bool absent;               /* the whole key is known and not built in this version: giving it is a fault that says so */
	enum conf_reload reload;
	const struct conf_item *items; /* GROUP, LIST: common keys */
	size_t size;                   /* LIST: size of the element struct without variants */
	const struct conf_variant *variants; /* LIST: NULL-terminated by word, chosen by the item named "type"; or NULL */
	const struct conf_more *more; /* LIST: the elements begin with struct conf_more_head; or NULL */
	bool unnamed;              /* LIST: elements have no unique "name" */
	const char *unit;          /* "s", "octets"; NULL */
	const char *help;          /* one sentence for the annotated file and the manual page */
};

/* Shapes of entries. T: the struct, m: its member, which has the key's name. Designators may follow: .help, .unit, .reload. */
#define CONF_TEXT(T, m, def, ...) { .name = #m, .type = CONF_TYPE_TEXT, .offset = offsetof(T, m), .text = (def), __VA_ARGS__ }
#define CONF_UINT(T, m, def, lo, hi, ...) \
	{ .name = #m, .type = CONF_TYPE_UINT, .offset = offsetof(T, m), .number = (def), .least = (lo), .most = (hi), __VA_ARGS__ }
#define CONF_REAL(T, m, def, lo, hi, ...) \
	{ .name = #m, .type = CONF_TYPE_REAL, .offset = offsetof(T, m), .number = (def), .least = (lo), .most = (hi), __VA_ARGS__ }
#define CONF_BOOL(T, m, def, ...) { .name = #m, .type = CONF_TYPE_BOOL, .offset = offsetof(T, m), .number = (def), __VA_ARGS__ }
#define CONF_WORD(T, m, def, list, ...) \
	{ .name = #m, .type = CONF_TYPE_WORD, .offset = offsetof(T, m), .text = (def), .words = (list), __VA_ARGS__ }
#define CONF_TEXTS(T, m, ...) { .name = #m, .type = CONF_TYPE_TEXTS, .offset = offsetof(T, m), __VA_ARGS__ }
#define CONF_FILE(T, m, ...) { .name = #m, .type = CONF_TYPE_FILE, .offset = offsetof(T, m), __VA_ARGS__ }
#define CONF_KEYFILE(T, m, ...) { .name = #m, .type = CONF_TYPE_KEYFILE, .offset = offsetof(T, m), __VA_ARGS__ }
#define CONF_SECRET(T, m, ...) { .name = #m, .type = CONF_TYPE_SECRET, .offset = offsetof(T, m), __VA_ARGS__ }
#define CONF_GROUP(T, m, table, ...) { .name = #m, .type = CONF_TYPE_GROUP, .offset = offsetof(T, m), .items = (table), __VA_ARGS__ }
#define CONF_LIST(T, m, table, E, ...) \
	{ .name = #m, .type = CONF_TYPE_LIST, .offset = offsetof(T, m), .items = (table), .size = sizeof(E), __VA_ARGS__ }
/* A key of the contract that this version does not do yet. */
#define CONF_LATER(key, ...) { .name = (key), .absent = true, .type = CONF_TYPE_TEXT, __VA_ARGS__ }
#define CONF_END { .type = CONF_TYPE_END }

/* Faults of a check that looks across keys, given by a room while the files are still open. Adds `FILE:LINE: path: text`; key names the member of elem's group that is at fault (NULL: the element itself), index the
 * entry in a list of texts (-1: none). elem is a struct filled by the loader. */
void conf_fault(struct conf_load *load, const void *elem, const char *key, int index, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* path made absolute against the main file's directory, for a TEXT that may hold one ("unix:PATH", state_dir); lives in the configuration's
 * arena. An absolute one comes back as it is; NULL when memory is short. */
const char *conf_path(struct conf_load *load, const char *path);
void *conf_arg(const struct conf_load *load); /* what the schema was given for its checks; NULL */

/* ---- records that stand in no file: one struct from texts by key ---- */
struct conf_pair {
	const char *key, *value;
	bool entry; /* of a key that takes a list: value is one entry as it stands; else the entries in it are separated by ";" */
};
/* text is "key: what is wrong with it", safe to print; borrowed for the call. */
typedef void conf_pair_fault_fn(void *arg, const char *text);
/**
 * Fill a struct that begins with struct conf_head by the rules that hold in a file; the key "name" gives its name. Texts, numbers, words,
 * true or false, lists of texts and lists of nameless groups that consist of texts can be given; such a group is one entry, its texts in the
 * order of its table with "/" between them ("main/0a0b"). Other groups and lists stand in files only.
 * @param dir  where relative paths begin; they are absolute in the record. NULL: a relative one is a fault. Whether the files can be used is
 *             for conf_record_files()
 * @param out  a single allocation with everything that it points to, freed with free(); head.at is empty
 * @param v    borrowed for the call; a key that takes a list may come more than once
 * @return 0; -EINVAL, and each fault was told; -ENOMEM
 */
int conf_record_new(void **out, const struct conf_item *items, size_t size, const char *dir, const struct conf_pair *v, size_t n,
		    conf_pair_fault_fn *fault, void *arg);
/* Asks the system for each file that the record names, as at the check of files of configuration. False: a fault was told. */
bool conf_record_files(const struct conf_item *items, const void *record, conf_pair_fault_fn *fault, void *arg);
/* What conf_record_new() would make this record of again: each value that is not the default, lists entry by entry; the name is left out. */
typedef void conf_pair_each_fn(void *arg, const struct conf_pair *p, bool list); /* borrowed for the call; list: of a key that takes one */
void conf_record_each(const struct conf_item *items, const void *record, conf_pair_each_fn *fn, void *arg);
/* Whether a record may have this key at all; if not, the fault is told. */
bool conf_record_key(const struct conf_item *items, const char *key, conf_pair_fault_fn *fault, void *arg);

#endif
