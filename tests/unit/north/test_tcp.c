/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp.c - stands for src/north/tcp*.c: real sockets on loopback, driven by the real loop */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "north/tcp.h"
#include "unit/north/scene.h"

#define CSM "\x40\xe1\x22\x84\x00\x20"
#define OCTETS(text) text, sizeof text - 1

static int listen_socket(uint16_t *port, const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

	assert_true(fd >= 0);
	inet_pton(AF_INET, address, &in.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

/* A listening server, and a room whose server it is. */
static int set_up_stream(void **state)
{
	struct fixture *f;
	char uri[64];
	uint16_t port = 0;

	if (set_up(state))
		return -1;
	f = *state;
	north_server_close(f->server);
	close(f->fd);
	f->fd = listen_socket(&port, "127.0.0.1");
	snprintf(uri, sizeof uri, "coap+tcp://127.0.0.1:%u", port);
	snprintf(f->uri, sizeof f->uri, "%s", uri);
	f->server_conf = (struct server_conf){ .head.name = "main",
					       .uri = f->uri,
					       .security = SERVER_NONE,
					       .handshake_timeout_s = 30,
					       .handshakes_per_s = 1000,
					       .answer_within_s = 240,
					       .patience_s = 110 };
	assert_int_equal(north_server_open(&f->server, f->north, &f->server_conf), 0);
	return 0;
}

static struct tcp_assoc *tcp_of(const struct peer *p)
{
	return (struct tcp_assoc *)p->assoc;
}

/* ---- the server's side ---- */

static int accept_one(struct fixture *f)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int on = 1, fd = accept(f->fd, NULL, NULL);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static void say(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void hear(int fd, const void *want, size_t len)
{
	uint8_t got[256];

	assert_true(len <= sizeof got);
	assert_int_equal(recv(fd, got, len, MSG_WAITALL), len);
	assert_memory_equal(got, want, len);
}

static bool is_in_phase(struct fixture *f)
{
	return *(uint8_t *)f->what == TCP_CSM;
}

/* Opens an association and its connection; the server's end of it. */
static int open_connected(struct fixture *f, struct peer *p, const char *who)
{
	int fd;

	open_peer(f, p, who);
	assert_true(wait_for(f, is_in_phase, &tcp_of(p)->phase));
	fd = accept_one(f);
	hear(fd, OCTETS(CSM));
	assert_false(p->up || north_assoc_is_up(p->assoc));
	assert_int_equal(north_assoc_send(p->assoc, (const uint8_t *)"\x40\x01\x00\x01", 4), -ENOTCONN);
	say(fd, OCTETS(CSM));
	assert_true(wait_for(f, is_up, p));
	assert_true(north_assoc_is_up(p->assoc));
	return fd;
}

static bool is_down(struct fixture *f)
{
	return ((struct peer *)f->what)->down;
}

static bool is_waiting(struct fixture *f)
{
	return tcp_of(f->what)->phase == TCP_WAIT;
}

/* So many turns of the loop, also when there is nothing to do. */
static unsigned turns;
static struct timer wake;
static void on_wake(struct timer *t, uint64_t now_ms)
{
	(void)t;
	(void)now_ms;
}
static bool turns_are_over(struct fixture *f)
{
	if (!turns)
		return true;
	turns--;
	timer_set(loop_timers(f->loop), &wake, clock_now_ms(), on_wake);
	return false;
}
static void turn(struct fixture *f, unsigned n)
{
	turns = n + 1;
	assert_true(wait_for(f, turns_are_over, NULL));
	timer_cancel(loop_timers(f->loop), &wake);
}

/* ---- tests ---- */

static void messages_pass_and_are_acknowledged_from_the_loop(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	int fd = open_connected(f, &p, "meter-17");

	assert_int_equal(north_assoc_port(p.assoc), 0);
	assert_true(north_server_is_stream(f->server));
	assert_int_equal(north_assoc_message_max(p.assoc), 33792);
	assert_true(north_assoc_blockwise(p.assoc));
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x41\x02\x12\x34t\xffup", 8), 0);
	assert_int_equal(p.received, 0);
	assert_true(wait_for(f, has_received, &p));
	hear(fd, OCTETS("\x31\x02t\xffup"));
	assert_int_equal(p.len, 4);
	assert_memory_equal(p.data, "\x60\x00\x12\x34", 4);
	p.received = 0;
	say(fd, OCTETS("\x31\x44t\xffok"));
	assert_true(wait_for(f, has_received, &p));
	assert_int_equal(p.len, 8);
	assert_memory_equal(p.data, "\x51\x44", 2);
	assert_memory_equal(p.data + 4, "t\xffok", 4);
	close_peer(&p);
	assert_int_equal(recv(fd, p.data, 1, 0), 0);
	close(fd);
}

static void a_lost_connection_is_told_and_made_again_by_the_next_message(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	int fd = open_connected(f, &p, "meter-17");

	say(fd, OCTETS("\x01\x01t")); /* it is more than a listener that takes everything */
	assert_true(wait_for(f, has_received, &p));
	close(fd);
	assert_true(wait_for(f, is_down, &p));
	assert_false(north_assoc_is_up(p.assoc));
	turn(f, 2);
	assert_int_equal(tcp_of(&p)->phase, TCP_IDLE);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x60\x45\x00\x07", 4),
			 -ENOTCONN); /* an answer to what is gone */
	turn(f, 2);
	assert_int_equal(tcp_of(&p)->phase, TCP_IDLE);
	p.up = 0;
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x40\x01\x00\x01", 4), -ENOTCONN);
	assert_true(wait_for(f, is_in_phase, &tcp_of(&p)->phase));
	fd = accept_one(f);
	hear(fd, OCTETS(CSM));
	say(fd, OCTETS(CSM));
	assert_true(wait_for(f, is_up, &p));
	assert_int_equal(*f->server->disconnects[TCP_CLOSED], 1);
	close_peer(&p);
	close(fd);
}

static void what_was_written_is_acknowledged_before_the_loss_is_told(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	int fd = open_connected(f, &p, "meter-17");

	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x40\x01\x00\x01", 4), 0);
	tcp_of(&p)->s.out_at =
		tcp_of(&p)->s.out_end; /* as if the socket had taken it and said so together with the end */
	close(fd);
	assert_true(wait_for(f, is_down, &p));
	assert_int_equal(p.received, 1);
	assert_memory_equal(p.data, "\x60\x00\x00\x01", 4);
	p.received = 0;
	close_peer(&p);
}

static void the_addresses_of_a_server_are_tried_in_turn(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 }, q = { 0 };
	int fd;

	f->server->others[0] = f->server->others[2] = f->server->addr;
	addr_set_port(&f->server->others[0], 1); /* nobody */
	f->server->others[1] = f->server->addr;
	addr_set_port(&f->server->addr, 2);
	f->server->others_n = 3;
	fd = open_connected(f, &p, "meter-17");
	assert_int_equal(*f->server->connects[TCP_REFUSED], 2);
	assert_int_equal(alarms_count(f->alarms), 0);
	close(fd);
	fd = open_connected(f, &q, "meter-18"); /* begins with the one that was good */
	assert_int_equal(*f->server->connects[TCP_REFUSED], 2);
	assert_int_equal(*f->server->connects[TCP_OK], 2);
	close(fd);
	close_peer(&p);
	close_peer(&q);
}

static void a_server_that_is_away_is_an_alarm_and_tried_again_after_a_pause(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	char alarm[64] = "";
	uint16_t port = addr_port(&f->server->addr);
	uint64_t hold;
	int fd;

	close(f->fd);
	open_peer(f, &p, "meter-17");
	assert_true(wait_for(f, is_waiting, &p));
	alarms_each(f->alarms, keep_alarm, alarm);
	assert_string_equal(alarm, "server.unreachable/main");
	assert_false(north_server_is_up(f->server));
	hold = tcp_of(&p)->hold_ms;
	assert_true(hold >= clock_now_ms() && tcp_of(&p)->backoff_ms == 2000);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x40\x01\x00\x01", 4), -ENOTCONN);
	assert_int_equal(tcp_of(&p)->hold_ms, hold); /* sending makes it no earlier */
	f->fd = listen_socket(&port, "127.0.0.1");
	tcp_renew(p.assoc); /* a reload does */
	assert_true(wait_for(f, is_in_phase, &tcp_of(&p)->phase));
	fd = accept_one(f);
	say(fd, OCTETS(CSM));
	assert_true(wait_for(f, is_up, &p));
	assert_int_equal(alarms_count(f->alarms), 0);
	assert_int_equal(f->back, 1);
	close_peer(&p);
	close(fd);
}

static void a_server_that_takes_connections_and_nothing_else_is_not_asked_at_once_again(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	int fd = open_connected(f, &p, "meter-17");

	close(fd);
	assert_true(wait_for(f, is_down, &p));
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x40\x01\x00\x01", 4), -ENOTCONN);
	assert_int_equal(tcp_of(&p)->phase, TCP_WAIT);
	close_peer(&p);
}

static void coap_13_the_abort_gets_through_though_the_server_goes_on_talking(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	static uint8_t noise[20000];
	int fd;

	open_peer(f, &p, "meter-17");
	assert_true(wait_for(f, is_in_phase, &tcp_of(&p)->phase));
	fd = accept_one(f);
	hear(fd, OCTETS(CSM));
	say(fd, OCTETS("\x10\xe1\x50"));
	say(fd, noise, sizeof noise);
	turn(f, 4);
	hear(fd,
	     OCTETS("\xd0\x0d\xe5\x21\x05\xff"
		    "unknown critical option"));
	assert_int_equal(recv(fd, noise, 1, 0), 0);
	assert_int_equal(tcp_of(&p)->phase, TCP_LINGER);
	assert_int_equal(*f->server->connects[TCP_PROTOCOL], 1);
	assert_int_equal(alarms_count(f->alarms), 0);
	close(fd);
	assert_true(wait_for(f, is_waiting, &p));
	assert_int_equal(p.up + p.down, 0);
	close_peer(&p);
}

static void coap_14_after_a_release_running_exchanges_finish_and_new_ones_wait(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	int fd = open_connected(f, &p, "meter-17");

	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x41\x02\x00\x01u", 5), 0);
	assert_true(wait_for(f, has_received, &p));
	hear(fd, OCTETS("\x01\x02u"));
	say(fd,
	    OCTETS("\x01\x01\x64" /* a request of the server's, and the Release behind it */
		   "\x20\xe4\x41\x0a"));
	p.received = 0;
	assert_true(wait_for(f, has_received, &p));
	assert_false(north_assoc_is_up(p.assoc));
	assert_int_equal(p.down, 0);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x41\x02\x00\x02v", 5), -ENOTCONN);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x61\x45\x00\x01\x64", 5), 0);
	p.received = 0;
	say(fd, OCTETS("\x01\x44u"));
	assert_true(wait_for(f, is_down, &p));
	assert_int_equal(p.received, 1);
	hear(fd, OCTETS("\x01\x45\x64"));
	assert_int_equal(recv(fd, p.data, 1, 0), 0);
	assert_int_equal(tcp_of(&p)->phase, TCP_WAIT); /* it was asked for meanwhile, and waits for the Hold-Off */
	assert_true(tcp_of(&p)->hold_ms > clock_now_ms() + 8000);
	tcp_renew(p.assoc);
	assert_int_equal(tcp_of(&p)->phase, TCP_WAIT);
	close_peer(&p);
	close(fd);
}

static void coap_14_an_abort_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	int fd = open_connected(f, &p, "meter-17");

	say(fd,
	    OCTETS("\x40\xe5\xff"
		   "bad"));
	assert_true(wait_for(f, is_down, &p));
	assert_int_equal(*f->server->disconnects[TCP_ABORTED], 1);
	assert_int_equal(recv(fd, p.data, 1, 0), 0);
	close_peer(&p);
	close(fd);
}

static void a_busy_connection_does_not_keep_another_waiting(void **state)
{
	struct fixture *f = *state;
	struct peer busy = { 0 }, calm = { 0 };
	static uint8_t requests[150000];
	int fd = open_connected(f, &busy, "busy"), other = open_connected(f, &calm, "calm");

	for (size_t i = 0; i < sizeof requests; i += 3)
		memcpy(requests + i, "\x01\x01t", 3);
	for (int i = 0; i < 5; i++)
		(void)!send(fd, requests, sizeof requests, MSG_DONTWAIT | MSG_NOSIGNAL);
	say(other, OCTETS("\x01\x01t"));
	assert_true(wait_for(f, has_received, &calm));
	assert_true(busy.received < 3 * 16384 / 3);
	close_peer(&busy);
	close_peer(&calm);
	close(fd);
	close(other);
}

static void a_server_that_does_not_read_holds_a_bounded_queue_and_nobody_else(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 }, q = { 0 };
	static uint8_t message[1100] = "\x50\x02\x00\x00\xff";
	int fd = open_connected(f, &p, "stuck"), other = open_connected(f, &q, "calm"), err, size = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	do { /* until nothing more is taken from it either */
		turn(f, 1);
		while (!(err = north_assoc_send(p.assoc, message, sizeof message)))
			;
		assert_int_equal(err, -EAGAIN);
	} while (!(tcp_of(&p)->watched & EPOLLOUT) || tcp_of(&p)->watched & EPOLLIN);
	assert_true(stream_waiting(&tcp_of(&p)->s) < STREAM_ENOUGH + 2 * sizeof message);
	assert_int_equal(north_assoc_send(q.assoc, (const uint8_t *)"\x40\x01\x00\x01", 4), 0);
	assert_true(wait_for(f, has_received, &q));
	hear(other, OCTETS("\x00\x01"));
	close_peer(&p);
	close_peer(&q);
	close(fd);
	close(other);
}

static void an_association_may_be_closed_by_what_it_is_told(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 }, q = { 0 };
	int fd = open_connected(f, &p, "a"), other = open_connected(f, &q, "b");

	p.closes = &p;
	say(fd, OCTETS("\x01\x01t\x01\x01t"));
	assert_true(wait_for(f, has_received, &p));
	assert_int_equal(p.received, 1);
	assert_null(p.assoc);
	p.up = 0;
	p.closes = NULL;
	open_peer(f, &p, "a"); /* its acknowledgement closes another that has one to get too */
	close(fd);
	assert_true(wait_for(f, is_in_phase, &tcp_of(&p)->phase));
	fd = accept_one(f);
	say(fd, OCTETS(CSM));
	assert_true(wait_for(f, is_up, &p));
	p.received = 0;
	p.closes = &q;
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x40\x01\x00\x01", 4), 0);
	assert_int_equal(north_assoc_send(q.assoc, (const uint8_t *)"\x40\x01\x00\x01", 4), 0);
	assert_true(wait_for(f, has_received, &p));
	assert_null(q.assoc);
	assert_int_equal(q.received, 0);
	p.closes = NULL;
	close_peer(&p);
	close(fd);
	close(other);
}

static bool is_busy(struct fixture *f)
{
	return ((struct peer *)f->what)->assoc->state == ASSOC_BUSY;
}

static void coap_12_no_csm_is_no_connection(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 }, q = { 0 };
	int fd, other;

	open_peer(f, &p, "waits");
	assert_true(wait_for(f, is_in_phase, &tcp_of(&p)->phase));
	fd = accept_one(f);
	hear(fd, OCTETS(CSM));
	other = open_connected(f, &q, "goes on");
	say(other, OCTETS("\x01\x01t"));
	assert_true(wait_for(f, has_received, &q));
	assert_true(is_busy(&(struct fixture){ .what = &p }));
	tcp_of(&p)->deadline_ms = clock_now_ms(); /* as if it had come */
	tcp_timer(tcp_of(&p));
	assert_true(wait_for(f, is_waiting, &p));
	assert_int_equal(*f->server->connects[TCP_NO_CSM], 1);
	assert_int_equal(alarms_count(f->alarms), 0); /* another is served well */
	close_peer(&p);
	close_peer(&q);
	close(fd);
	close(other);
}

static void an_idle_connection_is_pinged_and_lost_without_a_pong(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	int fd;

	f->server_conf.keepalive_s = 60;
	fd = open_connected(f, &p, "meter-17");
	for (unsigned i = 1; i <= 2; i++) {
		tcp_of(&p)->active_ms -= 60000;
		tcp_timer(tcp_of(&p));
		turn(f, 2);
		hear(fd, (const uint8_t[]){ 0x02, 0xe2, 0, (uint8_t)i }, 4);
		assert_true(tcp_of(&p)->ping_ms);
		if (i == 2)
			break;
		say(fd, (const uint8_t[]){ 0x02, 0xe3, 0, (uint8_t)i }, 4);
		turn(f, 2);
		assert_false(tcp_of(&p)->ping_ms);
	}
	tcp_of(&p)->ping_ms -= 30000;
	tcp_timer(tcp_of(&p));
	assert_true(wait_for(f, is_down, &p));
	assert_int_equal(*f->server->disconnects[TCP_SILENT], 1);
	close_peer(&p);
	close(fd);
}

static void each_address_of_a_name_is_tried(void **state)
{
	struct fixture *f = *state;
	char hosts[] = "/tmp/ngw-hosts-XXXXXX";
	struct peer p = { 0 };
	FILE *out = fdopen(mkstemp(hosts), "w");
	uint16_t port = addr_port(&f->server->addr);
	int fd;

	fputs("127.0.0.2 lw.test\n127.0.0.3 lw.test\n127.0.0.1 lw.test\n", out);
	fclose(out);
	north_server_close(f->server);
	f->north->hosts = hosts;
	snprintf(f->uri, sizeof f->uri, "coap+tcp://lw.test:%u", port);
	assert_int_equal(north_server_open(&f->server, f->north, &f->server_conf), 0);
	fd = open_connected(f, &p, "meter-17");
	assert_int_equal(*f->server->connects[TCP_REFUSED], 2);
	close_peer(&p);
	close(fd);
	unlink(hosts);
}

static void a_server_is_reached_over_ipv6(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof in;
	struct peer p = { 0 };
	int fd;

	north_server_close(f->server);
	close(f->fd);
	f->fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(listen(f->fd, 8), 0);
	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&in, &len), 0);
	snprintf(f->uri, sizeof f->uri, "coap+tcp://[::1]:%u", ntohs(in.sin6_port));
	assert_int_equal(north_server_open(&f->server, f->north, &f->server_conf), 0);
	fd = open_connected(f, &p, "meter-17");
	close_peer(&p);
	close(fd);
}

static bool is_in(struct fixture *f)
{
	return tcp_of(f->what)->phase == turns;
}

static void an_association_may_be_closed_in_any_phase(void **state)
{
	static const uint8_t phases[] = { TCP_CONNECT, TCP_CSM, TCP_OPEN, TCP_RELEASED, TCP_LINGER, TCP_WAIT };
	struct fixture *f = *state;
	int fds[sizeof phases];

	for (size_t i = 0; i < sizeof phases; i++) {
		struct peer p = { 0 };

		open_peer(f, &p, "meter-17");
		turns = phases[i] == TCP_CONNECT ? TCP_CONNECT : TCP_CSM;
		assert_true(wait_for(f, is_in, &p));
		fds[i] = accept_one(f);
		if (phases[i] == TCP_OPEN || phases[i] == TCP_RELEASED)
			say(fds[i], OCTETS(CSM));
		if (phases[i] == TCP_RELEASED)
			say(fds[i], OCTETS("\x01\x01t\x00\xe4"));
		if (phases[i] == TCP_LINGER)
			say(fds[i], OCTETS("\x10\xe1\x50"));
		if (phases[i] == TCP_WAIT)
			shutdown(fds[i], SHUT_RDWR);
		turns = phases[i];
		assert_true(wait_for(f, is_in, &p));
		close_peer(&p);
	}
	turn(f, 3); /* nothing of them is left to be worked off */
	assert_int_equal(f->server->associations + f->server->ups + f->server->slots, 0);
	for (size_t i = 0; i < sizeof phases; i++)
		close(fds[i]);
}

static void what_was_said_last_goes_out_before_the_close(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	int fd = open_connected(f, &p, "meter-17");

	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"\x51\x45\x00\x01t", 5), 0);
	close_peer(&p);
	hear(fd, OCTETS("\x01\x45t"));
	assert_int_equal(recv(fd, p.data, 1, 0), 0);
	close(fd);
}

static void an_idle_association_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct tcp_assoc) <= 344);
}

#define ON_STREAM(test) cmocka_unit_test_setup_teardown(test, set_up_stream, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STREAM(messages_pass_and_are_acknowledged_from_the_loop),
		ON_STREAM(a_lost_connection_is_told_and_made_again_by_the_next_message),
		ON_STREAM(what_was_written_is_acknowledged_before_the_loss_is_told),
		ON_STREAM(the_addresses_of_a_server_are_tried_in_turn),
		ON_STREAM(a_server_that_is_away_is_an_alarm_and_tried_again_after_a_pause),
		ON_STREAM(a_server_that_takes_connections_and_nothing_else_is_not_asked_at_once_again),
		ON_STREAM(coap_13_the_abort_gets_through_though_the_server_goes_on_talking),
		ON_STREAM(coap_14_after_a_release_running_exchanges_finish_and_new_ones_wait),
		ON_STREAM(coap_14_an_abort_ends_the_connection),
		ON_STREAM(a_busy_connection_does_not_keep_another_waiting),
		ON_STREAM(a_server_that_does_not_read_holds_a_bounded_queue_and_nobody_else),
		ON_STREAM(an_association_may_be_closed_by_what_it_is_told),
		ON_STREAM(coap_12_no_csm_is_no_connection),
		ON_STREAM(an_idle_connection_is_pinged_and_lost_without_a_pong),
		ON_STREAM(each_address_of_a_name_is_tried),
		ON_STREAM(a_server_is_reached_over_ipv6),
		ON_STREAM(an_association_may_be_closed_in_any_phase),
		ON_STREAM(what_was_said_last_goes_out_before_the_close),
		cmocka_unit_test(an_idle_association_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
