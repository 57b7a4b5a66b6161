/* SPDX-License-Identifier: Apache-2.0 */
/* console.h - JSON lines out, commands in
 *
 * Every simulator speaks the same way: an event is one JSON object on one line of standard output, copied to every
 * connection of the control socket. A command is one line on standard input or on a control connection: either a JSON
 * object {"cmd": WORD, "id": .., ..} or plain words, WORD and then values in the order in which the verb names them or
 * NAME=VALUE. Each command is answered by one line that carries its id: "ok", "error", or what the verb says.
 */
#ifndef NIDDGW_SIM_CONSOLE_H
#define NIDDGW_SIM_CONSOLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "sim/args.h"

struct console;

/* The verb answers later, by an event that carries the id. */
#define CONSOLE_LATER 1

struct console_verb {
	const char *name;
	const char *args; /* names of the words behind it, "ep path value"; the last one takes the rest of the line */
	const char *help;
	/**
	 * @param cmd    borrowed; the whole command, id included
	 * @param reply  borrowed; members put here go into the answer, "text" says what was wrong
	 * @return 0: "ok"; CONSOLE_LATER; negative: "error"
	 */
	int (*run)(void *arg, json_t *cmd, json_t *reply);
};

struct console_conf {
	const char *control; /* "unix:PATH", "tcp HOST:PORT", "HOST:PORT"; NULL: none */
	bool quiet;          /* events are not printed, answers are */
	const struct console_verb *verbs; /* ends with a NULL name */
	void *arg;
};

/* Built in: help, after (any command with "after_ms" waits so long), quit. -EINVAL bad address; errors of bind. */
int console_open(struct console **out, struct loop *loop, const struct console_conf *conf);
void console_close(struct console *c); /* NULL is fine */
/* Print an event. ev is taken. */
void console_event(struct console *c, json_t *ev);
/* Print the answer of a verb that answered CONSOLE_LATER. ev is taken; id is borrowed, NULL for none. */
void console_answer(struct console *c, json_t *id, json_t *ev);
/* The same for an event nobody asked for but that must be seen even under quiet. */
void console_print(struct console *c, json_t *ev);

/* ---- members of commands: absent or of another type gives the default ---- */

const char *cmd_text(const json_t *cmd, const char *name, const char *preset); /* numbers are not texts */
int64_t cmd_int(const json_t *cmd, const char *name, int64_t preset);          /* a number, or a text that is one */
bool cmd_bool(const json_t *cmd, const char *name, bool preset);               /* true, or "on", "true", "1" */
bool cmd_has(const json_t *cmd, const char *name);
/* Hexadecimal text of a member as octets. -ENOENT absent; -EBADMSG not hexadecimal; -ENOMEM. *out is owned by the caller. */
int cmd_hex(const json_t *cmd, const char *name, uint8_t **out, size_t *len);
/* Changes one live option; a number or a truth value is as good as its text. Returns what args_set() does. */
int cmd_set_option(void *opts, const struct args_item *items, const char *name, const json_t *value);
/* The command set: every member but the command's own is an option. Stops at the first that is none, naming it. */
int cmd_set_options(json_t *cmd, json_t *reply, void *opts, const struct args_item *items);
int reply_error(json_t *reply, int err, const char *text); /* puts text, returns err */

/* ---- members of events ---- */

json_t *json_hex(const void *data, size_t len);
/* The octets as a string when they are printable UTF-8, else NULL. */
json_t *json_text_of(const void *data, size_t len);
int hex_decode(uint8_t *out, size_t size, const char *text, size_t *len); /* -EBADMSG, -EMSGSIZE */

#endif
