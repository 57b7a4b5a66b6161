/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h - what the files of the scenario runner share
 *
 * A scenario drives the real sessions between a link and a north side that are made here, with a clock that is turned
 * by hand. What the sessions send is gathered in order; the scenario says what that must have been. README.md has the
 * language.
 */
#ifndef NIDDGW_REPLAY_H
#define NIDDGW_REPLAY_H

#include <setjmp.h>
#include <stdio.h>
#include <sys/types.h>

#include "coap/option.h"
#include "fake_store.h"
#include "mirror/report.h"
#include "session/session.h"

#define WORDS_MAX 48
#define UNIT_MOST 40960

/* ---- script.c: lines and words ---- */
struct words {
	unsigned n;
	char *v[WORDS_MAX]; /* into text */
	char text[16384];
};
void words_split(struct words *w, const char *line); /* at blanks; "..." keeps them; # begins a comment */
/* The text behind "key=" in a word, or NULL. */
const char *word_value(const char *word, const char *key);
/* "key=value" among the words from the first one on; NULL: not there. */
const char *words_find(const struct words *w, unsigned first, const char *key);
uint64_t time_parse(const char *text); /* "9s", "250ms", "4m", "2h" in ms */
size_t hex_parse(const char *text, uint8_t *out, size_t size);
long number_parse(const char *text);

/* ---- one scenario ---- */
struct output {
	char *text; /* owned: the line that would expect it, without the message */
	uint64_t at_ms;
	uint8_t *data; /* owned: the message, NULL: none */
	size_t len;
};

struct variable {
	char *name;
	uint8_t value[COAP_TOKEN_MAX];
	size_t len;
};

struct world {
	struct sessions *sessions;
	struct timers timers;
	struct metrics *metrics;
	struct alarms *alarms;
	struct run_conf *conf; /* the configuration in force; NULL before the first command */
	struct store *store; /* owned; NULL: nothing survives */
	struct mirror *mirror; /* owned; NULL: nobody listens */
	bool mirrored;         /* there is one in each life */
	bool crashed, untrusted; /* crashed: ended one way or the other, until restart */
	struct fake_link *links;
	struct north_server *servers;
	struct output *out;
	size_t out_n, out_taken;
	struct variable vars[512];
	size_t vars_n;
	uint64_t now_ms, step_ms; /* step: when the last command began */
	uint64_t wall_base_ms;    /* wall clock when now_ms is 0 */
	size_t exchanges_max;
	bool quiet; /* what attach and close do is not gathered: set-up and end */
	bool dead;  /* nothing is gathered: what a process does that is no longer there */
	unsigned verdicts, waiting; /* waiting: units without a verdict yet */
	enum link_verdict verdict;
	const char *file;
	unsigned line;
	FILE *report;
	int log_fd;
	off_t log_seen;
	jmp_buf failed;
};
extern struct world world;

/* Ends the scenario with a message. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Gathers what the sessions did. data may be NULL. */
void output_add(const uint8_t *data, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void outputs_clear(void);
void time_turn(uint64_t now_ms);
void world_run(void);   /* a process begins: counters and alarms of its own */
void world_ended(void); /* and is gone */

/* ---- message.c: messages as text ---- */
/* Builds from words: TYPE CODE [mid=] [token=] [/path?query] [name=value ..] [payload=]. Returns the length. */
size_t message_build(uint8_t *buf, size_t size, const struct words *w, unsigned first);
/* Compares with what words say, binding variables; fails the scenario with both when they differ. */
void message_expect(const uint8_t *data, size_t len, const struct words *w, unsigned first, const char *shown);
uint16_t mid_value(const char *text);                /* "17", or what "$name" is bound to */
char *message_text(const uint8_t *data, size_t len); /* owned by the caller */

/* ---- configure.c ---- */
struct run_conf {
	struct conf_list links, servers, profiles, devices;
	void **owned;
	size_t owned_n;
};
bool conf_line(const struct words *w); /* true: it was a line of configuration */
void conf_apply(void);                 /* at the first command, at `reload` and at `restart` */
void conf_close(void);                 /* closes all, the records stay */
void conf_end(void);                   /* closes all and frees */

/* ---- link.c, north.c: the two ends ---- */
struct fake_link_conf {
	struct link_conf base;
	bool queues; /* units wait in it until an event says what became of them */
};
struct fake_link *fake_link_open(const char *name);
struct link *fake_link_base(struct fake_link *l);
const char *fake_link_name(const struct fake_link *l);
struct fake_link *fake_link_next(struct fake_link *l);
void fake_link_set(struct fake_link *l, const struct link_conf *conf);
void fake_link_close(struct fake_link *l); /* out of the list */
void fake_north_step(void); /* what a transport tells from the loop, after each command and timer */
void fake_link_crash(void);                /* units that wait for a verdict get none */
void fake_link_end_check(void);
void link_command(const struct words *w, const char *verb); /* up, event, link-result */
int result_parse(const char *word);                         /* "ok", "EAGAIN" .. as a negative errno */
bool uplink_count(const char *result, uint64_t *value);

struct north_server *fake_server_open(const struct server_conf *conf);
const char *fake_server_name(const struct north_server *s);
struct north_server *fake_server_next(struct north_server *s);
struct north_server *fake_server_local(const struct server_conf *conf, north_local_fn *fn); /* in no list */
void fake_server_local_close(struct north_server *s);
void fake_server_set(struct north_server *s, const struct server_conf *conf);
void fake_server_close(struct north_server *s); /* out of the list */
void fake_server_ports(unsigned taken);         /* so many ports that are asked for are taken */
bool fake_server_is_silent(const char *name);
bool fake_server_is_stream(const char *name);
void north_command(const struct words *w, const char *verb);

/* ---- life.c: the store, and the end of processes ---- */
bool life_line(const struct words *w); /* store */
void life_command(const struct words *w, const char *verb); /* disk, crash, stop, restart, keys, entries */

/* ---- mirror.c ---- */
bool mirror_line(const struct words *w);    /* mirror [objects=3,3303] */
void mirror_command(const struct words *w); /* mirror on|off */
void mirror_run(void);                      /* a process begins .. */
void mirror_ended(void);                    /* .. and is gone */
void mirror_end(void);

void mirror_print_values(FILE *f, const struct report *r);

/* ---- ask.c ---- */
bool ask_line(const struct words *w); /* asks */
void ask_run(void);                   /* sessions have been made .. */
void ask_restored(void);              /* .. and restored .. */
void ask_ended(void);                 /* .. and are gone */
void ask_command(const struct words *w);

/* ---- watch.c ---- */
bool watch_line(const struct words *w);    /* watch */
bool watch_is_on(void);
void watch_run(void);                      /* sessions have been made */
void watch_command(const struct words *w); /* changed DEVICE yes|no */

/* ---- command.c ---- */
void command_run(const struct words *w);
void outputs_must_be_taken(void);

#endif
