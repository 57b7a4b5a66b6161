/* SPDX-License-Identifier: Apache-2.0 */
/* test_udp.c - stands for src/north/udp.c, server.c and north.c: real sockets on loopback, driven by the real loop */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/north/names.h"

/* ---- tests ---- */

static void datagrams_pass_both_ways(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };

	open_peer(f, &p, "meter-17");
	assert_true(north_assoc_is_up(p.assoc));
	assert_ptr_equal(north_assoc_server(p.assoc), f->server);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"up", 2), 0);
	assert_int_equal(source_of_next(f->fd), north_assoc_port(p.assoc));
	send_to_port(f->fd, north_assoc_port(p.assoc), "down", 4);
	assert_true(wait_for(f, has_received, &p));
	assert_int_equal(p.len, 4);
	assert_memory_equal(p.data, "down", 4);
	close_peer(&p);
}

static void port_is_the_same_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	uint16_t port;

	open_peer(f, &p, "meter-17");
	port = north_assoc_port(p.assoc);
	assert_in_range(port, FIRST, LAST);
	close_peer(&p);
	reopen(f, RANGE);
	open_peer(f, &p, "meter-17");
	assert_int_equal(north_assoc_port(p.assoc), port);
	close_peer(&p);
}

static void port_depends_on_the_key(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	uint16_t port;

	open_peer(f, &p, "meter-17");
	port = north_assoc_port(p.assoc);
	close_peer(&p);
	f->key[31] ^= 1;
	open_peer(f, &p, "meter-17");
	assert_int_not_equal(north_assoc_port(p.assoc), port);
	close_peer(&p);
}

static void given_port_is_used_once(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 }, q = { 0 };
	const uint16_t port = (uint16_t)(LAST + 1 + random_below(500));

	assert_int_equal(north_assoc_open(&p.assoc, f->server, "a", port, &p), 0);
	assert_int_equal(north_assoc_port(p.assoc), port);
	assert_int_equal(north_assoc_open(&q.assoc, f->server, "b", port, &q), -EADDRINUSE);
	close_peer(&p);
	assert_int_equal(north_assoc_open(&q.assoc, f->server, "b", port, &q), 0);
	close_peer(&q);
}

static void no_two_associations_share_a_port(void **state)
{
	enum { N = 500 };
	struct fixture *f = *state;
	static struct peer p[N];
	static bool seen[65536];
	struct north_server_status st;

	for (unsigned i = 0; i < N; i++) {
		char who[16];

		snprintf(who, sizeof who, "dev-%u", i);
		open_peer(f, &p[i], who);
		assert_false(seen[north_assoc_port(p[i].assoc)]);
		seen[north_assoc_port(p[i].assoc)] = true;
	}
	north_server_status(f->server, &st);
	assert_int_equal(st.associations, N);
	assert_true(st.up);
	for (unsigned i = 0; i < N; i++)
		close_peer(&p[i]);
}

static void exhausted_ports_are_an_alarm_until_one_is_free(void **state)
{
	struct fixture *f = *state;
	struct peer p[3] = { 0 };
	const unsigned first = 19000 + random_below(900);
	char alarm[64] = "", range[16];
	uint16_t port;

	snprintf(range, sizeof range, "%u-%u", first, first + 1);
	reopen(f, range);
	open_peer(f, &p[0], "a");
	open_peer(f, &p[1], "b");
	assert_int_equal(north_assoc_open(&p[2].assoc, f->server, "c", 0, &p[2]), -EADDRNOTAVAIL);
	alarms_each(f->alarms, keep_alarm, alarm);
	assert_string_equal(alarm, "north.ports/north");
	port = north_assoc_port(p[0].assoc);
	close_peer(&p[0]);
	assert_int_equal(alarms_count(f->alarms), 0);
	open_peer(f, &p[2], "c");
	assert_int_equal(north_assoc_port(p[2].assoc), port);
	close_peer(&p[1]);
	close_peer(&p[2]);
}

static void port_that_somebody_else_has_is_passed_over(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct fixture *f = *state;
	struct peer p = { 0 };
	uint16_t port;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	open_peer(f, &p, "meter-17");
	port = north_assoc_port(p.assoc);
	close_peer(&p);
	in.sin_port = htons(port);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	open_peer(f, &p, "meter-17");
	assert_int_not_equal(north_assoc_port(p.assoc),
			     port); /* the next one, unless another run of this program has that */
	assert_in_range(north_assoc_port(p.assoc), FIRST, LAST);
	close_peer(&p);
	close(fd);
}

static void closed_port_of_the_server_is_a_hint_and_no_end(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };

	open_peer(f, &p, "meter-17");
	close(f->fd);
	f->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), 0);
	/* the report may be found by the next send: it goes through all the same, and the hint comes from the loop */
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), 0);
	assert_int_equal(p.refused, 0);
	assert_true(wait_for(f, was_refused, &p));
	assert_true(north_assoc_is_up(p.assoc));
	for (int i = 0; i < 10; i++)
		assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), 0);
	assoc_deliver(f->north);
	assert_int_equal(p.refused, 1); /* one in a second */
	close_peer(&p);
}

/* ref/reliability.md S22: datagrams from elsewhere are dropped, counted where they reach us, and never answered. */
static void datagram_from_elsewhere_is_not_taken_S22(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	struct north_server_status st;
	uint16_t port;
	int stranger = server_socket(&port, "127.0.0.1"), other_host = server_socket(&port, "127.0.0.9");
	char buf[8];

	open_peer(f, &p, "meter-17");
	for (int i = 0; i < 100; i++) {
		send_to_port(stranger, north_assoc_port(p.assoc), "evil", 4);
		send_to_port(other_host, north_assoc_port(p.assoc), "evil", 4);
	}
	send_to_port(f->fd, north_assoc_port(p.assoc), "good", 4);
	assert_true(wait_for(f, has_received, &p));
	assert_int_equal(p.received, 1);
	assert_memory_equal(p.data, "good", 4);
	north_server_status(f->server, &st);
	assert_int_equal(st.foreign, 0); /* the kernel keeps them from a connected socket */
	assert_int_equal(recv(stranger, buf, sizeof buf, MSG_DONTWAIT), -1);
	assert_int_equal(recv(other_host, buf, sizeof buf, MSG_DONTWAIT), -1);
	close_peer(&p);
	close(stranger);
	close(other_host);
}

static bool foreign_was_counted(struct fixture *f)
{
	struct north_server_status st;

	north_server_status(f->server, &st);
	return st.foreign;
}

static void datagram_taken_before_the_socket_was_connected_is_counted_S22(void **state)
{
	struct fixture *f = *state;
	struct sockaddr any = { .sa_family = AF_UNSPEC };
	struct peer p = { 0 };
	uint16_t port;
	int stranger = server_socket(&port, "127.0.0.1");

	open_peer(f, &p, "meter-17");
	assert_int_equal(connect(p.assoc->fd, &any, sizeof any), 0); /* as between bind and connect */
	send_to_port(stranger, north_assoc_port(p.assoc), "evil", 4);
	assert_true(wait_for(f, foreign_was_counted, NULL));
	assert_int_equal(p.received, 0);
	close_peer(&p);
	close(stranger);
}

static bool two_have_received(struct fixture *f)
{
	struct peer *p = f->what;

	return p[0].received + p[1].received >= 1;
}

static void association_may_be_closed_in_its_own_callback(void **state)
{
	struct fixture *f = *state;
	struct peer p = { .closes = &p };

	open_peer(f, &p, "meter-17");
	send_to_port(f->fd, north_assoc_port(p.assoc), "1", 1);
	send_to_port(f->fd, north_assoc_port(p.assoc), "2", 1);
	assert_true(wait_for(f, has_received, &p));
	assert_null(p.assoc);
	assert_int_equal(p.received, 1);
}

static void association_closed_by_another_gets_nothing_more(void **state)
{
	struct fixture *f = *state;
	struct peer p[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		open_peer(f, &p[i], i ? "a" : "b");
		p[i].closes = &p[1 - i];
	}
	/* both are ready in one batch: whichever comes first closes the other */
	send_to_port(f->fd, north_assoc_port(p[0].assoc), "x", 1);
	send_to_port(f->fd, north_assoc_port(p[1].assoc), "x", 1);
	assert_true(wait_for(f, two_have_received, p));
	assert_int_equal(p[0].received + p[1].received, 1);
	assert_true(!p[0].assoc != !p[1].assoc);
	close_peer(&p[0]);
	close_peer(&p[1]);
}

static void flood_to_one_port_leaves_the_others_their_turn(void **state)
{
	struct fixture *f = *state;
	struct peer p[2] = { 0 };

	open_peer(f, &p[0], "flooded");
	open_peer(f, &p[1], "quiet");
	for (int i = 0; i < 100; i++)
		send_to_port(f->fd, north_assoc_port(p[0].assoc), "x", 1);
	send_to_port(f->fd, north_assoc_port(p[1].assoc), "y", 1);
	north_poll_ready(f->north, f->north->poll, LOOP_READ);
	assert_int_equal(p[0].received, 1);
	assert_int_equal(p[1].received, 1);
	close_peer(&p[0]);
	close_peer(&p[1]);
}

static void silent_server_is_back_with_the_next_thing_heard(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	char alarm[64] = "";

	open_peer(f, &p, "meter-17");
	north_server_silent(f->server);
	north_server_silent(f->server);
	assert_false(north_server_is_up(f->server));
	alarms_each(f->alarms, keep_alarm, alarm);
	assert_string_equal(alarm, "server.unreachable/main");
	send_to_port(f->fd, north_assoc_port(p.assoc), "x", 1);
	assert_true(wait_for(f, has_received, &p));
	assert_int_equal(f->back, 1);
	assert_true(north_server_is_up(f->server));
	assert_int_equal(alarms_count(f->alarms), 0);
	close_peer(&p);
}

static void too_long_a_datagram_is_refused(void **state)
{
	static uint8_t big[66000];
	struct fixture *f = *state;
	struct peer p = { 0 };

	open_peer(f, &p, "meter-17");
	assert_int_equal(north_assoc_send(p.assoc, big, sizeof big), -EMSGSIZE);
	close_peer(&p);
}

static void ipv6_server_is_reached(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct fixture *f = *state;
	socklen_t len = sizeof in6;
	struct peer p = { 0 };
	char uri[32], buf[8];
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&in6, sizeof in6)) {
		if (fd >= 0)
			close(fd);
		skip();
	}
	getsockname(fd, (struct sockaddr *)&in6, &len);
	snprintf(uri, sizeof uri, "coap://[::1]:%u", ntohs(in6.sin6_port));
	north_server_close(f->server);
	open_server(f, uri);
	open_peer(f, &p, "meter-17");
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"up", 2), 0);
	assert_int_equal(recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&in6, &len), 2);
	assert_int_equal(ntohs(in6.sin6_port), north_assoc_port(p.assoc));
	close_peer(&p);
	close(fd);
}

/* ---- names ---- */

static void reopen_by_name(struct fixture *f, const char *name)
{
	char uri[64];

	snprintf(uri, sizeof uri, "coap://%s%s", name, strrchr(f->uri, ':'));
	north_server_close(f->server);
	open_server(f, uri);
}

static void localhost_needs_no_lookup(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };

	reopen_by_name(f, "localhost");
	open_peer(f, &p, "meter-17");
	assert_true(north_assoc_is_up(p.assoc));
	close_peer(&p);
}

static void name_of_the_hosts_file_is_known_at_once(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	struct names d = { 0 };

	open_names(f, &d, "127.0.0.1 lwm2m.test alias.test\n");
	reopen_by_name(f, "alias.test");
	open_peer(f, &p, "meter-17");
	if (!north_assoc_is_up(p.assoc))
		assert_true(wait_for(f, is_up, &p));
	assert_int_equal(d.asked, 0);
	close_peer(&p);
	close_all(f);
	close_names(&d);
}

static bool is_taken(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool taken = bind(fd, (struct sockaddr *)&in, sizeof in) != 0;

	close(fd);
	return taken;
}

static void association_comes_up_when_the_name_is_known(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	struct names d = { 0 };
	uint16_t port;

	open_names(f, &d, "");
	reopen_by_name(f, "lwm2m.test");
	open_peer(f, &p, "meter-17");
	assert_false(north_assoc_is_up(p.assoc));
	assert_false(north_server_is_up(f->server));
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), -ENOTCONN);
	port = north_assoc_port(p.assoc);
	assert_true(wait_for(f, is_up, &p));
	if (north_assoc_port(p.assoc) != port) /* it was only noted: another run of this program has bound it */
		assert_true(is_taken(port));
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), 0);
	assert_int_equal(source_of_next(f->fd), north_assoc_port(p.assoc));
	close_peer(&p);
	close_all(f);
	close_names(&d);
}

static void unknown_name_is_an_alarm_and_tried_again(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };
	struct names d = { .silent_for = 2 }; /* A and AAAA of the first try */

	open_names(f, &d, "");
	reopen_by_name(f, "lwm2m.test");
	open_peer(f, &p, "meter-17");
	assert_true(wait_for(f, is_up, &p)); /* after the first back-off of a second */
	assert_in_range(d.asked, 3, 8);
	assert_int_equal(alarms_count(f->alarms), 0);
	close_peer(&p);
	close_all(f);
	close_names(&d);
}

/* ---- other kinds ---- */

static void on_record(void *arg, const uint8_t *data, size_t len)
{
	struct peer *p = arg;

	on_recv(arg, data, len);
	p->data[0] ^= 0x80; /* seen by these events and no others */
}

static void relay_passes_records_to_its_own_events(void **state)
{
	static const struct north_events relay_events = { .recv = on_record, .event = on_event };
	struct fixture *f = *state;
	struct peer p = { 0 }, q = { 0 };

	open_peer(f, &p, "meter-17");
	assert_int_equal(north_relay_open(&q.assoc, f->server, "meter-17", 0, &relay_events, &q), 0);
	assert_true(north_assoc_is_up(q.assoc));
	assert_int_not_equal(north_assoc_port(q.assoc), north_assoc_port(p.assoc));
	assert_int_equal(north_assoc_send(q.assoc, (const uint8_t *)"\x16\xfe\xfd", 3), 0);
	assert_int_equal(source_of_next(f->fd), north_assoc_port(q.assoc));
	send_to_port(f->fd, north_assoc_port(q.assoc), "\x16", 1);
	assert_true(wait_for(f, has_received, &q));
	assert_int_equal(q.data[0], 0x96);
	assert_int_equal(p.received, 0);
	close_peer(&q);
	close_peer(&p);
}

static void keep_sent(void *arg, const uint8_t *data, size_t len)
{
	on_recv(arg, data, len);
}

static void local_server_is_up_and_takes_no_port(void **state)
{
	static const struct server_conf conf = { .head.name = "proxy" };
	struct fixture *f = *state;
	struct north_server *local;
	struct north_server_status st;
	struct peer p = { 0 };

	assert_int_equal(north_local_open(&local, f->north, &conf, keep_sent), 0);
	assert_true(north_server_is_up(local));
	north_server_silent(local);
	assert_true(north_server_is_up(local));
	assert_int_equal(alarms_count(f->alarms), 0);
	assert_int_equal(north_assoc_open(&p.assoc, local, "meter-17", 0, &p), 0);
	assert_true(north_assoc_is_up(p.assoc));
	assert_int_equal(north_assoc_port(p.assoc), 0);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"ask", 3), 0);
	assert_int_equal(p.received, 1);
	assert_memory_equal(p.data, "ask", 3);
	assert_int_equal(north_relay_open(&p.assoc, local, "meter-17", 0, &events, &p), -ENOTSUP);
	north_server_status(local, &st);
	assert_string_equal(st.address, "");
	assert_int_equal(st.associations, 1);
	close_peer(&p);
	north_server_close(local);
}

static void datagrams_know_blocks_and_have_no_limit_of_the_server(void **state)
{
	struct fixture *f = *state;
	struct peer p = { 0 };

	open_peer(f, &p, "meter-17");
	assert_false(north_server_is_stream(f->server));
	assert_true(north_assoc_blockwise(p.assoc));
	assert_int_equal(north_assoc_message_max(p.assoc), 65507);
	north_assoc_unanswered(p.assoc);
	assert_true(north_assoc_is_up(p.assoc));
	close_peer(&p);
}

static void server_may_be_closed_while_its_name_is_looked_up(void **state)
{
	struct fixture *f = *state;
	struct names d = { 0 };

	open_names(f, &d, "");
	reopen_by_name(f, "lwm2m.test");
	close_all(f);
	close_names(&d);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(datagrams_pass_both_ways),
		T(port_is_the_same_after_a_restart),
		T(port_depends_on_the_key),
		T(given_port_is_used_once),
		T(no_two_associations_share_a_port),
		T(exhausted_ports_are_an_alarm_until_one_is_free),
		T(port_that_somebody_else_has_is_passed_over),
		T(closed_port_of_the_server_is_a_hint_and_no_end),
		T(datagram_from_elsewhere_is_not_taken_S22),
		T(datagram_taken_before_the_socket_was_connected_is_counted_S22),
		T(association_may_be_closed_in_its_own_callback),
		T(association_closed_by_another_gets_nothing_more),
		T(flood_to_one_port_leaves_the_others_their_turn),
		T(silent_server_is_back_with_the_next_thing_heard),
		T(too_long_a_datagram_is_refused),
		T(ipv6_server_is_reached),
		T(localhost_needs_no_lookup),
		T(name_of_the_hosts_file_is_known_at_once),
		T(association_comes_up_when_the_name_is_known),
		T(unknown_name_is_an_alarm_and_tried_again),
		T(server_may_be_closed_while_its_name_is_looked_up),
		T(relay_passes_records_to_its_own_events),
		T(local_server_is_up_and_takes_no_port),
		T(datagrams_know_blocks_and_have_no_limit_of_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
