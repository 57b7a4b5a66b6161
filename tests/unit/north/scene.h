/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - what the tests of north/ share: the room with real sockets on loopback, driven by the real loop
 *
 * Included behind cmocka.h; what a test does not use costs nothing.
 */
#ifndef TESTS_UNIT_NORTH_SCENE_H
#define TESTS_UNIT_NORTH_SCENE_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "north/parts.h"

enum { PATIENCE_MS = 5000, FIRST = 10000, LAST = 18191 };
#define RANGE "10000-18191" /* neither ephemeral nor the default: daemons of other tests may run beside this one */

struct peer { /* a "device" of the test: arg of its association */
	struct north_assoc *assoc;
	struct peer *closes; /* closes this one's association in recv */
	unsigned received, up, down, refused, denied;
	size_t len;
	uint8_t data[64];
	/* of a secured one: what credentials() gives, and what resumable() took */
	const char *identity, *key_file, *cert_file, *cert_key_file;
	uint8_t resume[NORTH_RESUME_MAX];
	size_t resume_len;
	unsigned kept, asked;
};

struct fixture {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	struct north *north;
	struct north_env env;
	struct north_conf conf;
	struct server_conf server_conf;
	struct north_server *server;
	char uri[64];
	int fd; /* the LwM2M server's socket */
	unsigned back;
	uint8_t key[32];
	/* waiting */
	struct loop_hook hook;
	struct timer give_up;
	bool (*until)(struct fixture *f);
	bool late;
	void *what;
};

/* ---- what the gateway reports ---- */

static inline void on_recv(void *arg, const uint8_t *data, size_t len)
{
	struct peer *p = arg;

	p->received++;
	p->len = len;
	memcpy(p->data, data, len < sizeof p->data ? len : sizeof p->data);
	if (p->closes) {
		north_assoc_close(p->closes->assoc);
		p->closes->assoc = NULL;
	}
}

static inline void on_event(void *arg, enum north_event ev)
{
	struct peer *p = arg;

	p->up += ev == NORTH_UP;
	p->down += ev == NORTH_DOWN;
	p->refused += ev == NORTH_REFUSED;
	p->denied += ev == NORTH_DENIED;
}

static inline void on_credentials(void *arg, struct north_credentials *out)
{
	struct peer *p = arg;

	p->asked++;
	*out = (struct north_credentials){ p->identity,	 p->key_file, p->cert_file, p->cert_key_file,
					   p->resume, p->resume_len };
}

static inline void on_resumable(void *arg, const uint8_t *data, size_t len)
{
	struct peer *p = arg;

	assert_true(len <= sizeof p->resume);
	if (len)
		memcpy(p->resume, data, len);
	p->resume_len = len;
	p->kept++;
}

static inline void on_back(void *arg, struct north_server *srv)
{
	struct fixture *f = arg;

	assert_ptr_equal(srv, f->server);
	f->back++;
}

static const struct north_events events = { on_recv, on_event, on_back, on_credentials, on_resumable };

/* ---- waiting for something to become true ---- */

static inline void on_hook(void *arg)
{
	struct fixture *f = arg;

	if (f->until && f->until(f))
		loop_stop(f->loop);
}

static inline void on_give_up(struct timer *t, uint64_t now_ms)
{
	struct fixture *f = container_of(t, struct fixture, give_up);

	(void)now_ms;
	f->late = true;
	loop_stop(f->loop);
}

static inline bool wait_for(struct fixture *f, bool (*until)(struct fixture *f), void *what)
{
	f->until = until;
	f->what = what;
	f->late = false;
	if (until(f))
		return true;
	clock_tick();
	timer_set(loop_timers(f->loop), &f->give_up, clock_now_ms() + PATIENCE_MS, on_give_up);
	assert_int_equal(loop_run(f->loop), 0);
	timer_cancel(loop_timers(f->loop), &f->give_up);
	f->until = NULL;
	return !f->late;
}

static inline bool has_received(struct fixture *f)
{
	return ((struct peer *)f->what)->received;
}

static inline bool was_refused(struct fixture *f)
{
	return ((struct peer *)f->what)->refused;
}

static inline bool is_up(struct fixture *f)
{
	return ((struct peer *)f->what)->up;
}

/* ---- the other end ---- */

static inline int server_socket(uint16_t *port, const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	inet_pton(AF_INET, address, &in.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static inline void send_to_port(int fd, uint16_t port, const void *data, size_t len)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&in, sizeof in), len);
}

static inline uint16_t source_of_next(int fd)
{
	struct sockaddr_in in;
	socklen_t len = sizeof in;
	char buf[64];

	assert_true(recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&in, &len) > 0);
	return ntohs(in.sin_port);
}

/* ---- fixture ---- */

static inline void open_server(struct fixture *f, const char *uri)
{
	snprintf(f->uri, sizeof f->uri, "%s", uri);
	f->server_conf = (struct server_conf){ .head.name = "main", .uri = f->uri };
	assert_int_equal(north_server_open(&f->server, f->north, &f->server_conf), 0);
}

static inline void open_north(struct fixture *f, const char *ports)
{
	f->conf = (struct north_conf){ .ports = ports };
	f->env = (struct north_env){ f->loop, f->metrics, f->alarms, f->key, &events, f };
	assert_int_equal(north_open(&f->north, &f->conf, &f->env), 0);
	loop_hook_remove(f->loop, &f->hook); /* to look when the room has told what it has to tell */
	loop_hook_add(f->loop, &f->hook);
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char uri[64];
	uint16_t port;

	log_set(LOG_ERROR, LOG_TEXT);
	random_bytes(f->key, sizeof f->key); /* ports that no other run of this program has at the same time */
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(metrics_new(&f->metrics), 0);
	assert_int_equal(alarms_new(&f->alarms, 100), 0);
	f->hook = (struct loop_hook){ .fn = on_hook, .arg = f };
	loop_hook_add(f->loop, &f->hook);
	open_north(f, RANGE);
	f->fd = server_socket(&port, "127.0.0.1");
	snprintf(uri, sizeof uri, "coap://127.0.0.1:%u", port);
	open_server(f, uri);
	*state = f;
	return 0;
}

static inline void close_all(struct fixture *f)
{
	north_server_close(f->server);
	f->server = NULL;
	north_close(f->north);
	f->north = NULL;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->north)
		close_all(f);
	loop_hook_remove(f->loop, &f->hook);
	loop_free(f->loop);
	metrics_free(f->metrics);
	alarms_free(f->alarms);
	close(f->fd);
	free(f);
	return 0;
}

static inline void reopen(struct fixture *f, const char *ports)
{
	char uri[64];

	strcpy(uri, f->uri);
	close_all(f);
	open_north(f, ports);
	open_server(f, uri);
}

static inline void open_peer(struct fixture *f, struct peer *p, const char *who)
{
	assert_int_equal(north_assoc_open(&p->assoc, f->server, who, 0, p), 0);
}

static inline void close_peer(struct peer *p)
{
	north_assoc_close(p->assoc);
	p->assoc = NULL;
}

/* The last alarm as type/source. */
static inline void keep_alarm(void *arg, const struct alarm *al)
{
	snprintf(arg, 64, "%s/%s", al->type, al->source);
}

#endif
