/* SPDX-License-Identifier: Apache-2.0 */
/* console.c - JSON lines out, commands in
 *
 * Standard output is written with plain blocking writes: whoever starts a simulator reads it. A control connection that
 * does not read is dropped instead, so one stuck client cannot stop a simulation. A file on standard input is a script:
 * its lines are taken one per pass of the loop, because epoll does not watch files.
 */
#include "sim/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/timer.h"

#define LINE_MAX_OCTETS (4u << 20) /* a raw notification body of several MiB fits */
#define CONNECTIONS 32

struct input {
	struct console *console;
	struct loop_fd *watch;
	int fd; /* -1: free */
	char *line;
	size_t len, size;
};

struct later {
	struct timer timer;
	struct console *console;
	struct later *next, *prev;
	json_t *cmd;
};

struct console {
	struct loop *loop;
	struct console_conf conf;
	struct input in[CONNECTIONS + 1]; /* [0] is standard input */
	struct loop_fd *accept_watch;
	int listen_fd;
	char *unix_path; /* owned; removed at the end */
	struct later *later;
	struct timer script;
	uint64_t commands;
};

static void input_close(struct input *in)
{
	loop_unwatch(in->watch);
	in->watch = NULL;
	if (in->fd > STDERR_FILENO)
		close(in->fd);
	in->fd = -1;
	free(in->line);
	in->line = NULL;
	in->len = in->size = 0;
}

/* ---- out ---- */

static void write_all(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void print_line(struct console *c, json_t *ev, bool to_stdout)
{
	char *text = json_dumps(ev, JSON_COMPACT);
	size_t len;

	if (!text)
		return;
	len = strlen(text);
	text[len] = '\n'; /* in place of the NUL: one write, one line */
	if (to_stdout)
		write_all(text, len + 1);
	for (size_t i = 1; i <= CONNECTIONS; i++) {
		if (c->in[i].fd >= 0 &&
		    send(c->in[i].fd, text, len + 1, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)(len + 1))
			input_close(&c->in[i]);
	}
	free(text);
}

void console_event(struct console *c, json_t *ev)
{
	bool watched = false;

	for (size_t i = 1; i <= CONNECTIONS && !watched; i++)
		watched = c->in[i].fd >= 0;
	if (ev && (watched || !c->conf.quiet))
		print_line(c, ev, !c->conf.quiet);
	json_decref(ev);
}

void console_print(struct console *c, json_t *ev)
{
	if (ev)
		print_line(c, ev, true);
	json_decref(ev);
}

void console_answer(struct console *c, json_t *id, json_t *ev)
{
	if (ev && id)
		json_object_set(ev, "id", id);
	console_print(c, ev);
}

/* ---- in ---- */

static void answer(struct console *c, json_t *cmd, json_t *reply, int err)
{
	json_t *ev = json_object();

	json_object_set_new(ev, "ev", json_string(err < 0 ? "error" : "ok"));
	json_object_set(ev, "id", json_object_get(cmd, "id"));
	json_object_set(ev, "cmd", json_object_get(cmd, "cmd"));
	if (err < 0 && !json_object_get(reply, "text"))
		json_object_set_new(ev, "text", json_string(strerror(-err)));
	json_object_update(ev, reply);
	console_print(c, ev);
}

static void list_verbs(struct console *c, json_t *reply)
{
	json_t *list = json_array();

	for (const struct console_verb *v = c->conf.verbs; v->name; v++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s}", "cmd", v->name, "args", v->args, "help", v->help));
	json_object_set_new(reply, "verbs", list);
}

static int run_verb(struct console *c, json_t *cmd, json_t *reply)
{
	const char *name = cmd_text(cmd, "cmd", "");

	if (!strcmp(name, "quit")) {
		loop_stop(c->loop);
		return 0;
	}
	if (!strcmp(name, "help")) {
		list_verbs(c, reply);
		return 0;
	}
	for (const struct console_verb *v = c->conf.verbs; v->name; v++) {
		if (!strcmp(v->name, name))
			return v->run(c->conf.arg, cmd, reply);
	}
	return reply_error(reply, -ENOENT, "no such command; help lists them");
}

static void run(struct console *c, json_t *cmd)
{
	json_t *reply = json_object();
	int err = run_verb(c, cmd, reply);

	if (err != CONSOLE_LATER)
		answer(c, cmd, reply, err);
	json_decref(reply);
}

static void later_free(struct later *l)
{
	timer_cancel(loop_timers(l->console->loop), &l->timer);
	if (l->prev)
		l->prev->next = l->next;
	else
		l->console->later = l->next;
	if (l->next)
		l->next->prev = l->prev;
	json_decref(l->cmd);
	free(l);
}

static void on_later(struct timer *t, uint64_t now_ms)
{
	struct later *l = container_of(t, struct later, timer);
	struct console *c = l->console;
	json_t *cmd = json_incref(l->cmd);

	(void)now_ms;
	later_free(l);
	run(c, cmd);
	json_decref(cmd);
}

static void run_or_wait(struct console *c, json_t *cmd)
{
	int64_t after_ms = cmd_int(cmd, "after_ms", 0);
	struct later *l = after_ms > 0 ? calloc(1, sizeof *l) : NULL;

	if (!l) {
		run(c, cmd);
		return;
	}
	l->console = c;
	l->cmd = json_incref(cmd);
	l->next = c->later;
	if (l->next)
		l->next->prev = l;
	c->later = l;
	timer_set(loop_timers(c->loop), &l->timer, clock_now_ms() + (uint64_t)after_ms, on_later);
}

static const char *names_of(const struct console *c, const char *verb)
{
	for (const struct console_verb *v = c->conf.verbs; v->name; v++) {
		if (!strcmp(v->name, verb))
			return v->args;
	}
	return "";
}

static void set_word(json_t *cmd, const char *name, size_t len, const char *value)
{
	char key[64];

	snprintf(key, sizeof key, "%.*s", (int)len, name);
	json_object_set_new(cmd, key, json_string(value));
}

/* Words in order go to the names of the verb; NAME=VALUE with a lower-case name goes by its name. The last name takes
 * the rest. */
static json_t *words_to_cmd(const struct console *c, char *line)
{
	char *save = NULL, *word = strtok_r(line, " \t\r", &save);
	json_t *cmd = json_object();
	const char *names;

	set_word(cmd, "cmd", 3, word ? word : "");
	names = names_of(c, word ? word : "");
	while (word && save && *save) {
		size_t name_len = strcspn(names, " ");
		size_t key_len = strspn(save, "abcdefghijklmnopqrstuvwxyz_");
		bool keyed = key_len && save[key_len] == '=';

		if (!keyed && name_len && !names[name_len]) {
			set_word(cmd, names, name_len, save + strspn(save, " \t"));
			break;
		}
		word = strtok_r(NULL, " \t\r", &save);
		if (word && keyed) {
			set_word(cmd, word, key_len, word + key_len + 1);
		} else if (word && name_len) {
			set_word(cmd, names, name_len, word);
			names += name_len + (names[name_len] == ' ');
		}
	}
	return cmd;
}

static void take_line(struct console *c, char *line)
{
	json_error_t why;
	json_t *cmd;

	line += strspn(line, " \t\r");
	for (size_t len = strlen(line); len && strchr(" \t\r", line[len - 1]); len--)
		line[len - 1] = '\0';
	if (!*line || *line == '#')
		return;
	cmd = *line == '{' ? json_loads(line, JSON_ALLOW_NUL, &why) : words_to_cmd(c, line);
	if (!cmd) {
		console_print(c, json_pack("{s:s, s:s, s:s}", "ev", "error", "id", "?", "text", why.text));
		return;
	}
	c->commands++;
	if (!json_object_get(cmd, "id"))
		json_object_set_new(cmd, "id", json_integer((json_int_t)c->commands));
	run_or_wait(c, cmd);
	json_decref(cmd);
}

static void take_lines(struct input *in)
{
	struct console *c = in->console;
	char *start = in->line, *end;

	while (in->fd >= 0 && (end = memchr(start, '\n', in->len - (size_t)(start - in->line)))) {
		char *copy = strndup(start, (size_t)(end - start));

		start = end + 1;
		if (copy)
			take_line(c, copy);
		free(copy);
	}
	if (in->fd < 0)
		return;
	in->len -= (size_t)(start - in->line);
	memmove(in->line, start, in->len);
}

/* 0 go on, -EAGAIN nothing there, else the input is closed. */
static int input_read(struct input *in)
{
	ssize_t n;

	if (in->size - in->len < 4096) {
		size_t size = in->size ? in->size * 2 : 8192;
		char *more = size <= LINE_MAX_OCTETS ? realloc(in->line, size) : NULL;

		if (!more) {
			input_close(in);
			return -EMSGSIZE;
		}
		in->line = more;
		in->size = size;
	}
	n = read(in->fd, in->line + in->len, in->size - in->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n <= 0) {
		input_close(in);
		return -EPIPE;
	}
	in->len += (size_t)n;
	take_lines(in);
	return 0;
}

static void on_input(void *arg, int fd, unsigned what)
{
	(void)fd;
	(void)what;
	input_read(arg);
}

static void on_script(struct timer *t, uint64_t now_ms)
{
	struct console *c = container_of(t, struct console, script);

	if (!input_read(&c->in[0]))
		timer_set(loop_timers(c->loop), t, now_ms, on_script);
}

static void on_accept(void *arg, int fd, unsigned what)
{
	struct console *c = arg;
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (got < 0)
		return;
	for (size_t i = 1; i <= CONNECTIONS; i++) {
		struct input *in = &c->in[i];

		if (in->fd >= 0)
			continue;
		in->fd = got;
		if (loop_watch(c->loop, &in->watch, got, LOOP_READ, on_input, in))
			input_close(in);
		return;
	}
	close(got);
}

/* ---- opening ---- */

static int control_address(struct console *c, const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)sa;
	struct addr a;

	memset(sa, 0, sizeof *sa);
	if (!strncmp(text, "unix:", 5)) {
		if (strlen(text + 5) >= sizeof un->sun_path)
			return -EINVAL;
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, text + 5);
		unlink(un->sun_path); /* of a run before */
		c->unix_path = strdup(un->sun_path);
		*len = sizeof *un;
		return c->unix_path ? 0 : -ENOMEM;
	}
	if (addr_parse(&a, strncmp(text, "tcp ", 4) ? text : text + 4, true))
		return -EINVAL;
	memcpy(sa, &a.u, a.len);
	*len = a.len;
	return 0;
}

static int control_open(struct console *c, const char *text)
{
	struct sockaddr_storage sa;
	socklen_t len = 0;
	int err = control_address(c, text, &sa, &len), yes = 1;

	if (err)
		return err;
	c->listen_fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen_fd < 0)
		return -errno;
	setsockopt(c->listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(c->listen_fd, (struct sockaddr *)&sa, len) || listen(c->listen_fd, 16))
		return -errno;
	return loop_watch(c->loop, &c->accept_watch, c->listen_fd, LOOP_READ, on_accept, c);
}

static int stdin_open(struct console *c)
{
	struct input *in = &c->in[0];
	struct stat st;

	if (fstat(STDIN_FILENO, &st))
		return 0; /* started without one */
	in->fd = STDIN_FILENO;
	if (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(STDIN_FILENO))) {
		timer_set(loop_timers(c->loop), &c->script, clock_now_ms(), on_script);
		return 0;
	}
	return loop_watch(c->loop, &in->watch, STDIN_FILENO, LOOP_READ, on_input, in);
}

int console_open(struct console **out, struct loop *loop, const struct console_conf *conf)
{
	struct console *c = calloc(1, sizeof *c);
	int err;

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->conf = *conf;
	c->listen_fd = -1;
	for (size_t i = 0; i <= CONNECTIONS; i++) {
		c->in[i].fd = -1;
		c->in[i].console = c;
	}
	err = conf->control ? control_open(c, conf->control) : 0;
	if (!err)
		err = stdin_open(c);
	if (err) {
		console_close(c);
		return err;
	}
	*out = c;
	return 0;
}

void console_close(struct console *c)
{
	if (!c)
		return;
	timer_cancel(loop_timers(c->loop), &c->script);
	while (c->later)
		later_free(c->later);
	for (size_t i = 0; i <= CONNECTIONS; i++)
		input_close(&c->in[i]);
	loop_unwatch(c->accept_watch);
	if (c->listen_fd >= 0)
		close(c->listen_fd);
	if (c->unix_path)
		unlink(c->unix_path);
	free(c->unix_path);
	free(c);
}
