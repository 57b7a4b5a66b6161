/* SPDX-License-Identifier: Apache-2.0 */
/* test_dtls.c - stands for src/north/dtls.c and secure.c: associations against a DTLS server in the same loop */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

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

static void write_key(char *path, const char *text)
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
static void secure_server(struct scene *s, struct server_conf conf)
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

static int set_up_dtls(void **state)
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

static int tear_down_dtls(void **state)
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

static struct peer psk_peer(const struct scene *s)
{
	return (struct peer){ .identity = "meter-17", .key_file = s->key_file };
}

static void bring_up(struct scene *s, struct peer *p)
{
	open_peer(&s->f, p, p->identity ? p->identity : "meter-17");
	assert_true(wait_for(&s->f, is_up, p));
}

static bool has_ended(struct fixture *f)
{
	return ((struct peer *)f->what)->down;
}

/* ---- tests ---- */

static void handshake_with_a_key_and_messages_both_ways(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	s->peer->cookies = true;
	open_peer(&s->f, &p, "meter-17");
	assert_false(north_assoc_is_up(p.assoc));
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"early", 5), -ENOTCONN);
	assert_true(wait_for(&s->f, is_up, &p));
	assert_true(north_assoc_is_up(p.assoc));
	assert_string_equal(s->peer->identity, "meter-17");
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"hello", 5), 0);
	assert_true(wait_for(&s->f, has_received, &p));
	assert_int_equal(p.len, 5);
	assert_memory_equal(p.data, "hello", 5);
	assert_int_equal(s->peer->last_message_port, north_assoc_port(p.assoc));
	close_peer(&p);
	assert_int_equal(s->f.server->slots, 0);
}

static void close_notify_ends_it_and_the_next_message_makes_another(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	uint16_t port;

	bring_up(s, &p);
	port = north_assoc_port(p.assoc);
	peer_close_notify(s->peer, port);
	assert_true(wait_for(&s->f, has_ended, &p));
	assert_false(north_assoc_is_up(p.assoc));
	assert_int_equal(s->peer->handshakes, 1); /* nobody has asked for another */
	p.up = 0;
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), -ENOTCONN);
	assert_true(wait_for(&s->f, is_up, &p));
	assert_int_equal(north_assoc_port(p.assoc), port);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), 0);
	assert_true(wait_for(&s->f, has_received, &p));
	assert_int_equal(s->peer->handshakes, 2);
	close_peer(&p);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up_dtls, tear_down_dtls)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(handshake_with_a_key_and_messages_both_ways),
		T(close_notify_ends_it_and_the_next_message_makes_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
