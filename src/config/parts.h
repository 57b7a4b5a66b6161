/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - what the files of this room share; not for other rooms
 *
 * One load goes: file.c finds, reads and parses every file, fill.c walks the trees along the schema into the structs, the
 * schema's check looks across keys, fault.c prints what was wrong. The trees live until then, so that a fault found by the
 * check still has its line.
 */
#ifndef NIDDGW_CONFIG_PARTS_H
#define NIDDGW_CONFIG_PARTS_H

#include <libconfig.h>
#include <stdarg.h>

#include "base/map.h"
#include "config/config.h"

enum {
	CONF_FILE_MOST = 64 << 20, /* octets of one file */
	CONF_TEXT_MOST = 4096,     /* octets of one text */
	CONF_NAME_MOST = 128,      /* octets of the name of a list element */
	CONF_DEPTH_MOST = 32,      /* brackets in brackets */
};

/* ---- arena.c: memory that is freed at once ---- */
struct arena {
	struct arena_chunk *chunks;
};
void *arena_alloc(struct arena *a, size_t size);                          /* zeroed, aligned to 8; NULL when memory is short */
const char *arena_text(struct arena *a, const char *text, size_t len); /* a copy with NUL, packed; NULL when memory is short */
void arena_free(struct arena *a);

struct conf_grown { /* a list that several files add to; its pointers stand in one allocation of their own */
	struct conf_grown *next;
	struct conf_list *list; /* in the root struct */
	size_t room;
};

struct conf {
	struct arena arena;
	void *root;
	const char *dir; /* of the main file */
	struct conf_grown *grown;
};

/* ---- one load ---- */
struct conf_file {
	struct conf_file *next;
	const char *name; /* as it is opened; in the configuration's arena */
	unsigned index;   /* in the order of reading */
	config_t tree;
	bool sound; /* tree can be walked */
};

/* Where a struct that was filled stands in a file. The same struct has several when several files give the group. */
struct origin {
	struct map_node node; /* by the address of the struct */
	const void *elem;
	const struct origin *parent; /* NULL: the root */
	const char *key;             /* of the group or list, in parent */
	int index;                   /* in that list, in this file; -1: a group */
	const struct conf_file *file;
	config_setting_t *setting; /* NULL: not in this file */
	const struct conf_item *items, *more; /* keys it may have; more: of its variant, or NULL */
	bool shared; /* root, or a group of it: other files may add */
	bool named;  /* an element with a key "name" */
	bool loose;  /* its variant is not known, so keys of a variant cannot be judged */
};

struct fault {
	unsigned file, line, order;
	char *text; /* owned */
};

struct conf_load {
	struct conf *conf;
	const struct conf_schema *schema;
	const char *dir; /* absolute: relative paths start here */
	struct conf_file *files, **files_end;
	unsigned file_count;
	struct arena scratch; /* origins, names, files */
	struct map origins, names;
	struct fault *faults; /* owned */
	size_t fault_count, fault_room;
	bool no_memory;
};

/* ---- fault.c ---- */
void fault_file(struct conf_load *load, const struct conf_file *f, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* At key (NULL: o itself) and entry index (-1: none) of o, on the given line of o's file. */
void fault_key(struct conf_load *load, const struct origin *o, const char *key, int index, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
struct origin *origin_add(struct conf_load *load, const struct origin *o); /* a copy in the scratch arena, findable; NULL: no memory */
void faults_print(struct conf_load *load, FILE *to);
unsigned setting_line(const config_setting_t *s);

/* ---- scan.c ---- */
struct scan {
	char *text;           /* owned: what libconfig gets, NUL-terminated */
	unsigned *lines;      /* owned: lines of the strings that stand in arrays and lists, in order */
	size_t line_count;
	unsigned fault_line;  /* 0: none */
	const char *fault;    /* why the text cannot be parsed */
};
int scan_text(struct scan *s, const char *text, size_t len); /* 0 or -ENOMEM */
void scan_fini(struct scan *s);

/* ---- file.c ---- */
int files_read(struct conf_load *load, const char *file);
int files_take(struct conf_load *load, const char *name, const char *text, size_t len);
void files_close(struct conf_load *load);

/* ---- fill.c, value.c ---- */
void fill(struct conf_load *load);
void fill_value(struct conf_load *load, const struct origin *o, const struct conf_item *item, config_setting_t *s, void *base);
void fill_defaults(struct conf_load *load, const struct conf_item *items, void *base);
const char *setting_kind(const config_setting_t *s); /* "an integer" */
const struct conf_item *item_find(const struct conf_item *items, const char *name); /* NULL: none; items may be NULL */
int word_find(const struct conf_item *item, const char *word);                      /* -1: none */
bool text_taken(struct conf_load *load, const struct origin *o, const char *key, int index, config_setting_t *s, const char **out);

/* ---- secret.c ---- */
/* 0, or -1 with the reason in why. */
int path_check(enum conf_type type, const char *path, char *why, size_t size);

/* ---- record_path.c ---- */
#define SECRET_PREFIX "file:"
/* The path in a value of a FILE, KEYFILE or SECRET; NULL: a secret that is not named by its file. */
const char *record_path(enum conf_type type, const char *text);
/* An absolute path as it is, another behind dir; as snprintf() does. */
size_t record_path_join(char *buf, size_t size, const char *dir, const char *path);

/* ---- record.c, record_each.c ---- */
bool record_is_flat(const struct conf_item *list); /* its structs have no names and consist of texts: an entry can be written as one */

/* ---- print.c, suggest.c ---- */
void print_quoted(FILE *to, const char *text); /* as a libconfig string */
void print_number(FILE *to, const struct conf_item *item, double v);
/* The key of o that is nearest to what was written, at most two edits away; NULL: none is. */
const char *suggest(const struct origin *o, const char *written);

#endif
