/* SPDX-License-Identifier: Apache-2.0 */
/* test_load.c - stands for src/sim/load_*.c: what is sent is sound, and figures are what they say */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coap/codec.h"
#include "sim/load_http.h"

static const uint8_t token[LOAD_TOKEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void messages_are_well_formed(void **state)
{
	static const size_t bodies[] = { 0, 1, 24, 64, 1280 };
	uint8_t buf[LOAD_MESSAGE_MAX];
	struct coap_msg m;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		len = load_message(buf, LOAD_POST, 0xbeef, token, bodies[i], NULL);
		assert_int_equal(coap_parse(&m, buf, len), 0);
		assert_int_equal(m.type, COAP_CON);
		assert_int_equal(m.code, COAP_POST);
		assert_int_equal(m.mid, 0xbeef);
		assert_memory_equal(m.token, token, LOAD_TOKEN);
		assert_int_equal(m.payload_len, bodies[i]);
	}
	len = load_message(buf, LOAD_REGISTER, 1, token, 64, "urn:imei:490154203237518");
	assert_int_equal(coap_parse(&m, buf, len), 0);
	assert_int_equal(m.payload_len, 6);
	/* the notification of the design's measurements is made of a message of 42 octets */
	assert_int_equal(load_message(buf, LOAD_POST, 1, token, 24, NULL), 42);
}

static void percentiles_are_within_two_percent(void **state)
{
	struct load_stat *s = calloc(1, sizeof *s);

	(void)state;
	s->measuring = true;
	for (uint64_t us = 1; us <= 10000; us++)
		load_stat_trip(s, us * 1000);
	assert_int_equal(s->trips, 10000);
	assert_in_range((uint64_t)load_stat_quantile_us(s, 0.5), 4900, 5100);
	assert_in_range((uint64_t)load_stat_quantile_us(s, 0.99), 9700, 10100);
	load_stat_trip(s, UINT64_MAX); /* the last bucket is within the table */
	s->measuring = false;
	load_stat_trip(s, 1);
	assert_int_equal(s->trips, 10001);
	free(s);
}

static void window_and_rate_tell_how_many_may_begin(void **state)
{
	struct load_stat *s = calloc(1, sizeof *s);
	struct load_opts o = { .window = 10, .seconds = 1, .warmup_ms = 100 };
	struct load_pace p;

	(void)state;
	load_pace_start(&p, &o, s);
	assert_int_equal(load_pace_due(&p, p.start_ns, 3), 7);
	assert_int_equal(load_pace_due(&p, p.start_ns, 12), 0);
	assert_false(s->measuring);
	assert_int_equal(load_pace_due(&p, p.start_ns + 100000000, 0), 10);
	assert_true(s->measuring);
	o.rate = 1000;
	p.sent = 400;
	assert_int_equal(load_pace_due(&p, p.start_ns + 500000000, 0), 100);
	assert_in_range(load_pace_wait_us(&p, p.start_ns + 400500000), 400, 600);
	assert_int_equal(load_pace_due(&p, p.start_ns + 1100000000, 0), -1);
	free(s);
}

static size_t ask(int fd, const struct sockaddr_in *to, const uint8_t *m, size_t len, uint8_t *out, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(sendto(fd, m, len, 0, (const struct sockaddr *)to, sizeof *to), len);
	n = poll(&p, 1, 5000) == 1 ? recv(fd, out, size, 0) : 0;
	return n > 0 ? (size_t)n : 0;
}

static void server_answers_piggybacked_and_registers(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t m[LOAD_MESSAGE_MAX], a[64], mute[LOAD_MESSAGE_MAX];
	struct load_server *s = NULL;
	struct coap_msg answer;
	size_t len, mute_len;

	(void)state;
	assert_int_equal(load_server_start(&s, "127.0.0.1:0", NULL), 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(load_server_port(s));
	/* what it must not answer goes first: the next answer is that of the next request */
	mute_len = load_message(mute, LOAD_MUTE, 1, token, 64, NULL);
	sendto(fd, mute, mute_len, 0, (struct sockaddr *)&to, sizeof to);
	sendto(fd, "\x40", 1, 0, (struct sockaddr *)&to, sizeof to);
	len = load_message(m, LOAD_POST, 2, token, 64, NULL);
	assert_int_equal(coap_parse(&answer, a, ask(fd, &to, m, len, a, sizeof a)), 0);
	assert_int_equal(answer.type, COAP_ACK);
	assert_int_equal(answer.code, COAP_CHANGED);
	assert_int_equal(answer.mid, 2);
	assert_memory_equal(answer.token, token, LOAD_TOKEN);
	len = load_message(m, LOAD_REGISTER, 3, token, 0, NULL);
	assert_int_equal(coap_parse(&answer, a, ask(fd, &to, m, len, a, sizeof a)), 0);
	assert_int_equal(answer.code, COAP_CREATED);
	load_server_stop(s);
	close(fd);
}

static struct load_conn *conn_of(const char *text, int *far_end)
{
	int ends[2], poll = epoll_create1(0);
	struct load_conn *c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	c = load_conn_new(LOAD_CONN_CALLBACK, ends[0], poll, NULL);
	assert_non_null(c);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	assert_int_equal(load_conn_read(c), 0);
	*far_end = ends[1];
	return c;
}

static void drop(struct load_conn *c, int far_end)
{
	close(c->poll);
	load_conn_free(c);
	close(far_end);
}

static void http_messages_are_told_apart(void **state)
{
	struct load_http h;
	struct load_conn *c;
	int far_end;

	(void)state;
	c = conn_of("POST /a/configurations HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 204 No "
		    "Content\r\n\r\nHT",
		    &far_end);
	assert_int_equal(load_http_next(c, &h), 1);
	assert_int_equal(h.path_len, strlen("/a/configurations"));
	assert_int_equal(h.body_len, 5);
	assert_memory_equal(h.body, "hello", 5);
	load_conn_consume(c, h.total);
	assert_int_equal(load_http_next(c, &h), 1);
	assert_int_equal(h.status, 204);
	load_conn_consume(c, h.total);
	assert_int_equal(load_http_next(c, &h), 0);
	drop(c, far_end);
	c = conn_of("garbage\r\n\r\n", &far_end);
	assert_int_equal(load_http_next(c, &h), -1);
	drop(c, far_end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_well_formed),
		cmocka_unit_test(percentiles_are_within_two_percent),
		cmocka_unit_test(window_and_rate_tell_how_many_may_begin),
		cmocka_unit_test(server_answers_piggybacked_and_registers),
		cmocka_unit_test(http_messages_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
