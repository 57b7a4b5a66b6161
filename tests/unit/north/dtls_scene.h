/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_scene.h - the room with a secured server at its other end */
#ifndef TESTS_UNIT_NORTH_DTLS_SCENE_H
#define TESTS_UNIT_NORTH_DTLS_SCENE_H

#include "north/dtls.h"
#include "unit/north/dtls_peer.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f"
#define KEY_B "ffeeddccbbaa99887766554433221100"
#define PSK_ALL "PSK-AES128-CCM8:PSK-AES128-GCM-SHA256"

struct scene {
	struct fixture f;
	struct dtls_peer *peer;
	char key_file[64], other_file[64];
};

/* ---- helpers ---- */

static inline void write_key(char *path, const char *text)
{
	FILE *f;

	if (!*path) {
		int fd;

		strcpy(path, "/tmp/niddgw-test-XXXXXX");
		fd = mkstemp(path);
		assert_true(fd >= 0);
		close(fd);
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

/* The fixture's server with security, instead of the plain one. */
static inline void secure_server(struct scene *s, struct server_conf conf)
{
	struct fixture *f = &s->f;

	north_server_close(f->server);
	snprintf(f->uri, sizeof f->uri, "coaps://127.0.0.1:%u", s->peer->port);
	conf.head.name = "main";
	if (!conf.uri)
		conf.uri = f->uri;
	if (!conf.handshake_timeout_s)
		conf.handshake_timeout_s = 30;
	if (!conf.handshakes_per_s)
		conf.handshakes_per_s = 100000;
	if (!conf.dead_after)
		conf.dead_after = 3;
	f->server_conf = conf;
	assert_int_equal(north_server_open(&f->server, f->north, &f->server_conf), 0);
}

static inline int set_up_dtls(void **state)
{
	struct scene *s;
	struct fixture *f;

	assert_int_equal(set_up((void **)&f), 0);
	s = calloc(1, sizeof *s);
	s->f = *f;
	/* the hook and the environment point into the fixture, which has moved */
	loop_hook_remove(f->loop, &f->hook);
	free(f);
	f = &s->f;
	f->hook.arg = f;
	loop_hook_add(f->loop, &f->hook);
	f->north->env.arg = f;
	f->north->env.key = f->key;
	s->peer = peer_open(f->loop, PSK_ALL);
	peer_key(s->peer, 0, "meter-17", KEY_A);
	peer_key(s->peer, 1, "meter-18", KEY_B);
	write_key(s->key_file, KEY_A);
	write_key(s->other_file, KEY_B);
	secure_server(s, (struct server_conf){ .security = SERVER_PSK });
	*state = s;
	return 0;
}

static inline int tear_down_dtls(void **state)
{
	struct scene *s = *state;
	struct fixture *f = &s->f;

	if (f->north)
		close_all(f);
	peer_close(s->peer);
	loop_hook_remove(f->loop, &f->hook);
	loop_free(f->loop);
	metrics_free(f->metrics);
	alarms_free(f->alarms);
	close(f->fd);
	unlink(s->key_file);
	unlink(s->other_file);
	free(s);
	return 0;
}

static inline struct peer psk_peer(const struct scene *s)
{
	return (struct peer){ .identity = "meter-17", .key_file = s->key_file };
}

static inline void bring_up(struct scene *s, struct peer *p)
{
	open_peer(&s->f, p, p->identity ? p->identity : "meter-17");
	assert_true(wait_for(&s->f, is_up, p));
}

static inline bool has_ended(struct fixture *f)
{
	return ((struct peer *)f->what)->down;
}

static inline struct secure *secure_of(const struct peer *p)
{
	return assoc_transport(p->assoc)->secure(p->assoc);
}

static inline bool has_failed(struct fixture *f)
{
	return secure_of(f->what)->failing;
}

static inline bool has_begun(struct fixture *f)
{
	return secure_of(f->what)->ssl;
}

/* What a restart of the daemon does to this room; associations are closed before. */
static inline void north_close_server_and_room(struct scene *s)
{
	struct server_conf conf = s->f.server_conf;

	close_all(&s->f);
	open_north(&s->f, RANGE);
	s->f.server_conf = conf;
	assert_int_equal(north_server_open(&s->f.server, s->f.north, &s->f.server_conf), 0);
}

static inline bool was_denied(struct fixture *f)
{
	return ((struct peer *)f->what)->denied;
}

static inline uint64_t handshakes(const struct scene *s, enum secure_result r)
{
	return *s->f.server->handshakes[r];
}

/* An echo says that both sides have the session. */
static inline void echo(struct scene *s, struct peer *p, const char *text)
{
	p->received = 0;
	assert_int_equal(north_assoc_send(p->assoc, (const uint8_t *)text, strlen(text)), 0);
	assert_true(wait_for(&s->f, has_received, p));
	assert_int_equal(p->len, strlen(text));
	assert_memory_equal(p->data, text, p->len);
}

static inline void keep_text(void *arg, const struct alarm *al)
{
	snprintf(arg, 200, "%s/%s: %s", al->type, al->source, al->text);
}

static inline void expect_alarm(struct scene *s, const char *what)
{
	char text[200] = "";

	alarms_each(s->f.alarms, keep_text, text);
	if (!strstr(text, what))
		fail_msg("\"%s\" is not in \"%s\"", what, text);
}

#endif
