/* SPDX-License-Identifier: Apache-2.0 */
/* north.c - the north side of a scenario, in place of the real room
 *
 * The functions that north.h declares are defined here, so the linker takes none of the room's transports; what reads
 * the configuration is the room's own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "north.h"

static unsigned ports_taken;
static struct down { /* servers that are away stay so over a restart */
	char name[64];
	bool down;
} downs[8];

void fake_server_ports(unsigned taken)
{
	ports_taken = taken;
}

/* ---- what sessions call ---- */

const struct server_conf *north_server_conf(const struct north_server *s)
{
	return s->conf;
}

void north_server_silent(struct north_server *s)
{
	s->silent = true;
}

void north_server_heard(struct north_server *s)
{
	if (!s->silent)
		return;
	s->silent = false;
	session_north_events.back(world.sessions, s);
}

bool north_server_is_up(const struct north_server *s)
{
	return !s->down && !s->silent;
}

static int open_as(struct north_assoc **out, struct north_server *srv, const char *who, const char *kind, uint16_t port,
		   const struct north_events *events, void *arg)
{
	static uint16_t next_port = 20000;
	struct north_assoc *a;

	if (port && ports_taken) {
		ports_taken--;
		return -EADDRINUSE;
	}
	a = calloc(1, sizeof *a);
	if (!a)
		return -ENOMEM;
	a->srv = srv;
	a->arg = arg;
	a->events = events;
	a->max = STREAM_MAX;
	a->blockwise = true;
	a->port = srv->stream ? 0 : port ? port : next_port++;
	snprintf(a->who, sizeof a->who, "%s%s", who, kind);
	a->next = srv->assocs;
	srv->assocs = a;
	*out = a;
	return 0;
}

bool north_server_is_forbidden(const struct north_server *s)
{
	return s->denied;
}

int north_assoc_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, void *arg)
{
	return open_as(out, srv, who, "", port, &session_north_events, arg);
}

/* Known to a scenario as DEVICE/dtls. */
int north_relay_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port,
		     const struct north_events *events, void *arg)
{
	return open_as(out, srv, who, "/dtls", port, events, arg);
}

int north_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	struct north_server *s = a->srv;
	int err = s->local ? 0 : way_refuses(a, len);

	if (s->local) {
		s->local(a->arg, data, len);
		return 0;
	}
	if (!err)
		err = s->results_at < s->results_n ? s->results[s->results_at++] : s->always;
	if (!err && s->stream)
		stream_sent(a, data, len);
	else if (!err)
		output_add(data, len, "north %s %s", s->name, a->who);
	return err;
}

bool north_assoc_is_up(const struct north_assoc *a)
{
	return !a->srv->down && !a->srv->denied && !a->lost;
}

uint16_t north_assoc_port(const struct north_assoc *a)
{
	return a->port;
}

struct north_server *north_assoc_server(const struct north_assoc *a)
{
	return a->srv;
}

void north_assoc_close(struct north_assoc *a)
{
	struct north_assoc **at;

	if (!a)
		return;
	at = &a->srv->assocs;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	output_add(NULL, 0, "close %s %s", a->srv->name, a->who);
	free(a);
}

/* ---- servers ---- */

struct north_server *fake_server_next(struct north_server *s)
{
	return s->next;
}

const char *fake_server_name(const struct north_server *s)
{
	return s->name;
}

void fake_server_set(struct north_server *s, const struct server_conf *conf)
{
	s->conf = conf;
}

static bool *down_of(const char *name)
{
	size_t i = 0;

	while (*downs[i].name && strcmp(downs[i].name, name) != 0)
		i++;
	if (i + 1 == sizeof downs / sizeof downs[0])
		fail("too many servers");
	snprintf(downs[i].name, sizeof downs[i].name, "%s", name);
	return &downs[i].down;
}

struct north_server *fake_server_open(const struct server_conf *conf)
{
	struct north_server *s = calloc(1, sizeof *s), **end = &world.servers;

	if (!s)
		abort();
	s->conf = conf;
	snprintf(s->name, sizeof s->name, "%s", conf->head.name);
	s->stream = strstr(conf->uri, "+tcp://") != NULL;
	s->down = *down_of(s->name);
	while (*end)
		end = &(*end)->next;
	*end = s;
	return s;
}

struct north_server *fake_server_local(const struct server_conf *conf, north_local_fn *fn)
{
	struct north_server *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->conf = conf;
	snprintf(s->name, sizeof s->name, "%s", conf->head.name);
	s->local = fn;
	return s;
}

void fake_server_local_close(struct north_server *s)
{
	if (s->assocs)
		fail("the gateway still has an association with %s", s->assocs->who);
	free(s);
}

void fake_server_close(struct north_server *s)
{
	struct north_server **at = &world.servers;

	if (s->assocs)
		fail("server %s is closed while %s has an association", s->name, s->assocs->who);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s);
}

struct north_server *server_of(const char *name)
{
	struct north_server *s = world.servers;

	while (s && strcmp(s->name, name) != 0)
		s = s->next;
	if (!s)
		fail("there is no server %s", name);
	return s;
}

bool fake_server_is_silent(const char *name)
{
	return server_of(name)->silent;
}

bool fake_server_is_stream(const char *name)
{
	return server_of(name)->stream;
}

/* ---- commands ---- */

struct north_assoc *assoc_of(struct north_server *s, const char *who)
{
	struct north_assoc *a = s->assocs;

	while (a && strcmp(a->who, who) != 0)
		a = a->next;
	if (!a)
		fail("%s has no association with %s", who, s->name);
	return a;
}

/* north SERVER DEVICE MESSAGE | north SERVER DEVICE raw HEX */
static void command_message(const struct words *w)
{
	static uint8_t buf[UNIT_MOST];
	struct north_server *s = server_of(w->n > 3 ? w->v[1] : "");
	struct north_assoc *a = assoc_of(s, w->v[2]);
	uint8_t *exact;
	size_t len;

	if (strcmp(w->v[3], "raw") == 0 && w->n == 5)
		len = hex_parse(w->v[4], buf, sizeof buf);
	else
		len = message_build(buf, sizeof buf, w, 3);
	exact = malloc(len + 1);
	if (!exact)
		abort();
	memcpy(exact + 1, buf, len);
	if (s->stream)
		stream_number(a, exact + 1, len);
	north_server_heard(s);
	a->events->recv(a->arg, exact + 1, len);
	free(exact);
}

void tell_all(struct north_server *s, enum north_event ev)
{
	struct north_assoc *next;

	for (struct north_assoc *a = s->assocs; a; a = next) {
		next = a->next;
		a->events->event(a->arg, ev);
	}
}

static void command_results(struct north_server *s, const struct words *w)
{
	if (w->n == 4 && strcmp(w->v[2], "always") == 0) {
		s->always = result_parse(w->v[3]);
		return;
	}
	s->results_n = s->results_at = 0;
	for (unsigned i = 2; i < w->n && s->results_n < RESULTS_MAX; i++)
		s->results[s->results_n++] = result_parse(w->v[i]);
}

/* north-down, north-up, north-refused SERVER; north-result SERVER RESULT ..; silent SERVER yes|no; the rest is that of
 * ways.c */
void north_command(const struct words *w, const char *verb)
{
	struct north_server *s = server_of(w->n > 1 ? w->v[1] : "");

	if (strcmp(verb, "north") == 0) {
		command_message(w);
	} else if (strcmp(verb, "north-down") == 0) {
		*down_of(s->name) = s->down = true;
		tell_all(s, NORTH_DOWN);
	} else if (strcmp(verb, "north-up") == 0) {
		*down_of(s->name) = s->down = s->denied = false;
		tell_all(s, NORTH_UP);
	} else if (strcmp(verb, "north-refused") == 0) {
		tell_all(s, NORTH_REFUSED);
	} else if (strcmp(verb, "north-result") == 0) {
		command_results(s, w);
	} else if (way_command(s, w, verb)) {
		return;
	} else if (w->n != 3 || s->silent != (strcmp(w->v[2], "yes") == 0)) {
		fail("the server is %s", s->silent ? "known as silent" : "not known as silent");
	}
}
