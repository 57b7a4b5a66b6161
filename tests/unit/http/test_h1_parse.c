/* SPDX-License-Identifier: Apache-2.0 */
/* test_h1_parse.c - requests at every split, and what must never become one */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/h1_parse.h"

static const struct h1_limits usual = { .header_bytes = 16384, .header_lines = 64, .body_bytes = 65536 };

struct seen {
	unsigned heads, dones;
	int status; /* of an error; 0: none */
	size_t used;
	char bodies[256];
};

/* Feeds the octets in pieces of `step`, or all but as two pieces cut at `cut` when step is 0. */
static struct seen feed(const struct h1_limits *limits, const char *text, size_t len, size_t step, size_t cut)
{
	struct seen s = { 0 };
	struct h1 p;
	size_t at = 0;

	assert_int_equal(h1_init(&p, limits), 0);
	while (!s.status) {
		size_t end = step ? at + step : at < cut ? cut : len;
		size_t used;

		if (end > len)
			end = len;
		switch (h1_feed(&p, text + at, end - at, &used)) {
		case H1_HEAD:
			s.heads++;
			break;
		case H1_DONE:
			s.dones++;
			snprintf(s.bodies + strlen(s.bodies), sizeof s.bodies - strlen(s.bodies), "[%.*s]",
				 (int)p.body_len, p.body_len ? (char *)p.body : "");
			h1_next(&p);
			break;
		case H1_ERROR:
			assert_non_null(p.why);
			s.status = p.status;
			break;
		default:
			assert_int_equal(at + used, end);
			if (end == len)
				goto out;
			break;
		}
		at += used;
		s.used = at;
	}
out:
	h1_fini(&p);
	return s;
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: a\r\n"

struct row {
	const char *text;
	int status;         /* 0: accepted */
	const char *bodies; /* of an accepted one */
};

static const struct row rows[] = {
	{ GET "\r\n", 0, "[]" },
	{ "\r\n" GET "\r\n", 0, "[]" },
	{ "\r\n\r\n" GET "\r\n", 400, NULL },
	{ POST "Content-Length: 5\r\n\r\nhello", 0, "[hello]" },
	{ POST "content-length:  5 \t\r\n\r\nhello" GET "\r\n", 0, "[hello][]" },
	{ POST "Content-Length: 0\r\n\r\n", 0, "[]" },
	{ POST "Content-Length: 005\r\n\r\nhello", 0, "[hello]" },
	{ POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" GET "\r\n", 0, "[abcde][]" },
	{ POST "Transfer-Encoding: Chunked\r\n\r\n3;a=b;c=\"d\"\r\nabc\r\n000;x\r\nT: u\r\nV: w\r\n\r\n", 0, "[abc]" },
	{ POST "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", 0, "[0123456789]" },
	{ "GET / HTTP/1.0\r\n\r\n", 0, "[]" },
	{ "GET http://h:80/p?q HTTP/1.1\r\nHost: h:80\r\n\r\n", 0, "[]" },
	{ "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 0, "[]" },
	{ GET "Content-Encoding: identity\r\n\r\n", 0, "[]" },
	/* lengths */
	{ POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, NULL },
	{ POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, NULL },
	{ POST "Content-Length: 5, 5\r\n\r\nhello", 400, NULL },
	{ POST "Content-Length: -1\r\n\r\n", 400, NULL },
	{ POST "Content-Length: +5\r\n\r\nhello", 400, NULL },
	{ POST "Content-Length: 0x5\r\n\r\nhello", 400, NULL },
	{ POST "Content-Length: 5 5\r\n\r\nhello", 400, NULL },
	{ POST "Content-Length:\r\n\r\n", 400, NULL },
	{ POST "Content-Length: 9223372036854775808\r\n\r\n", 400, NULL },
	{ POST "Content-Length: 18446744073709551617\r\n\r\n", 400, NULL },
	{ POST "Content-Length: 99999999999999999999999999\r\n\r\n", 400, NULL },
	{ POST "Content-Length: 65537\r\n\r\n", 413, NULL },
	/* codings */
	{ POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL },
	{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, NULL },
	{ POST "Transfer-Encoding: identity\r\n\r\n", 501, NULL },
	{ POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, NULL },
	{ POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501, NULL },
	{ POST "Transfer-Encoding:\r\n\r\n", 501, NULL },
	{ POST "Transfer-Encoding:\x0b"
	       "chunked\r\n\r\n",
	  400, NULL },
	{ POST "Transfer-Encoding : chunked\r\n\r\n", 400, NULL },
	{ POST " Transfer-Encoding: chunked\r\n\r\n", 400, NULL },
	{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL },
	{ POST "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", 415, NULL },
	{ POST "Expect: 200-maybe\r\nContent-Length: 5\r\n\r\n", 417, NULL },
	/* chunks */
	{ POST "Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", 413, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n10001\r\n", 413, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n0000000000000000\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n 5\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n0x5\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n;a\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n5\rhello\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n5;\nhello\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n X: y\r\n\r\n", 400, NULL },
	{ POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\n\r\n", 400, NULL },
	/* lines */
	{ "GET / HTTP/1.1\nHost: a\n\n", 400, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, NULL },
	{ GET "X: a\r\n b\r\n\r\n", 400, NULL },
	{ GET "X: a\r\n\tb\r\n\r\n", 400, NULL },
	{ GET "X : a\r\n\r\n", 400, NULL },
	{ GET "X\r\n\r\n", 400, NULL },
	{ GET ": a\r\n\r\n", 400, NULL },
	{ GET "X(: a\r\n\r\n", 400, NULL },
	{ GET "X: a\x01\r\n\r\n", 400, NULL },
	{ GET "X: a\x7f\r\n\r\n", 400, NULL },
	/* Host */
	{ "GET / HTTP/1.1\r\n\r\n", 400, NULL },
	{ GET "Host: a\r\n\r\n", 400, NULL },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, NULL },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, NULL },
	{ "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, NULL },
	/* request line */
	{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, NULL },
	{ "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, NULL },
	{ "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, NULL },
	{ "GET / HTTP/1.11\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET / http/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET /\r\n\r\n", 400, NULL },
	{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "GET http:///p HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL },
	{ "\x16\x03\x01\x02", 400, NULL },
	{ "G@T / HTTP/1.1\r\n", 400, NULL },
};

static void check_row(const struct row *r, size_t step, size_t cut)
{
	struct seen s = feed(&usual, r->text, strlen(r->text), step, cut);

	if (s.status != r->status || (!r->status && strcmp(s.bodies, r->bodies)))
		fail_msg("step %zu cut %zu status %d for %s", step, cut, s.status, r->text);
	if (r->status)
		assert_int_equal(s.dones, 0); /* a smuggled second request is never seen */
}

static void s27_every_row_of_the_smuggling_table_at_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t cut = 0; cut <= strlen(rows[i].text); cut++)
			check_row(&rows[i], 0, cut);
		for (size_t step = 1; step < 8; step++)
			check_row(&rows[i], step, 0);
	}
}

static void a_nul_octet_is_refused_wherever_it_stands(void **state)
{
	static const char good[] = POST "X: y\r\n\r\n";
	char bad[sizeof good];

	(void)state;
	for (size_t i = 0; i < sizeof good - 5; i++) {
		memcpy(bad, good, sizeof good);
		bad[i] = '\0';
		assert_int_equal(feed(&usual, bad, sizeof good - 1, 1, 0).status, 400);
	}
}

static void a_body_may_hold_any_octet(void **state)
{
	char text[400] = POST "Content-Length: 256\r\n\r\n";
	size_t head = strlen(text);
	struct h1 p;
	size_t used, more;

	(void)state;
	for (size_t i = 0; i < 256; i++)
		text[head + i] = (char)i;
	assert_int_equal(h1_init(&p, &usual), 0);
	assert_int_equal(h1_feed(&p, text, head + 256, &used), H1_HEAD);
	assert_int_equal(used, head);
	assert_int_equal(p.content_length, 256);
	assert_int_equal(h1_feed(&p, text + used, 256, &more), H1_DONE);
	assert_memory_equal(p.body, text + head, 256);
	h1_fini(&p);
}

static void header_values_are_trimmed_and_found_by_lower_case_name(void **state)
{
	static const char text[] =
		"PUT /a?b=c HTTP/1.1\r\nHost: a\r\nAuthorization: \t Bearer x y \t\r\nX-A: 1\r\nx-a: 2\r\nEmpty:\r\n"
		"Connection: foo , Close\r\n\r\n";
	struct h1 p;
	size_t used;
	unsigned n;

	(void)state;
	assert_int_equal(h1_init(&p, &usual), 0);
	assert_int_equal(h1_feed(&p, text, sizeof text - 1, &used), H1_HEAD);
	assert_int_equal(p.method, HTTP_PUT);
	assert_string_equal(h1_target(&p), "/a?b=c");
	assert_string_equal(h1_header(&p, "authorization", &n), "Bearer x y");
	assert_int_equal(n, 1);
	assert_string_equal(h1_header(&p, "x-a", &n), "1");
	assert_int_equal(n, 2);
	assert_string_equal(h1_header(&p, "empty", NULL), "");
	assert_null(h1_header(&p, "none", &n));
	assert_int_equal(n, 0);
	assert_false(h1_keep_alive(&p));
	h1_fini(&p);
}

static void the_absolute_form_becomes_the_origin_form(void **state)
{
	static const struct {
		const char *sent, *target;
	} forms[] = {
		{ "http://h/p?q", "/p?q" }, { "HTTPS://h:1/", "/" }, { "http://h", "/" },
		{ "http://hh?q", "/?q" },   { "/x", "/x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		char text[128];
		struct h1 p;
		size_t used;

		snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", forms[i].sent);
		assert_int_equal(h1_init(&p, &usual), 0);
		assert_int_equal(h1_feed(&p, text, strlen(text), &used), H1_HEAD);
		assert_string_equal(h1_target(&p), forms[i].target);
		h1_fini(&p);
	}
}

static void s29_the_header_is_bounded_in_octets_and_lines(void **state)
{
	static char text[40000];
	size_t n;

	(void)state;
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	memset(text + n, 'x', 30000);
	memcpy(text + 16384 - 4, "\r\n\r\n", 4); /* exactly the limit */
	assert_int_equal(feed(&usual, text, 16384, 1000, 0).heads, 1);
	memset(text + n, 'x', 30000);
	memcpy(text + 16385 - 4, "\r\n\r\n", 4);
	assert_int_equal(feed(&usual, text, 16385, 1000, 0).status, 431);
	assert_int_equal(feed(&usual, text, 16385, 0, 0).status, 431);

	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 63; i++)
		n += (size_t)sprintf(text + n, "X%d: y\r\n", i);
	memcpy(text + n, "\r\n", 2);
	assert_int_equal(feed(&usual, text, n + 2, 0, 0).heads, 1); /* 64 lines */
	memcpy(text + n, "Y: z\r\n\r\n", 8);
	assert_int_equal(feed(&usual, text, n + 8, 0, 0).status, 431);
}

static void an_endless_chunked_body_ends_at_the_limit(void **state)
{
	static const char chunk[] = "1000\r\n";
	char data[4096 + 2];
	struct h1 p;
	size_t used, fed = 0;
	enum h1_event ev;

	(void)state;
	memset(data, 'd', sizeof data - 2);
	memcpy(data + 4096, "\r\n", 2);
	assert_int_equal(h1_init(&p, &usual), 0);
	assert_int_equal(h1_feed(&p, POST "Transfer-Encoding: chunked\r\n\r\n", strlen(POST) + 30, &used), H1_HEAD);
	assert_int_equal(p.content_length, SIZE_MAX);
	do {
		ev = h1_feed(&p, chunk, sizeof chunk - 1, &used);
		if (ev == H1_MORE)
			ev = h1_feed(&p, data, sizeof data, &used);
		fed += 4096;
	} while (ev == H1_MORE && fed < 1u << 20);
	assert_int_equal(ev, H1_ERROR);
	assert_int_equal(p.status, 413);
	assert_true(p.body_size <= 2 * 65536);
	h1_fini(&p);
}

static void chunk_extensions_and_trailers_are_bounded(void **state)
{
	static const char *const repeated[] = { "1;extension=of-some-length\r\nx\r\n", "0\r\n", "1\r\nx\r\n" };
	struct h1 p;
	size_t used;
	enum h1_event ev;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		assert_int_equal(h1_init(&p, &usual), 0);
		h1_feed(&p, POST "Transfer-Encoding: chunked\r\n\r\n", strlen(POST) + 30, &used);
		if (kind)
			h1_feed(&p, repeated[1], 3, &used);
		for (int i = 0; i < 1000; i++) {
			const char *t = kind ? "T: some trailer\r\n" : repeated[0];

			ev = h1_feed(&p, t, strlen(t), &used);
			if (ev != H1_MORE)
				break;
		}
		assert_int_equal(ev, H1_ERROR);
		assert_int_equal(p.status, 400);
		h1_fini(&p);
	}
}

static void large_buffers_are_given_back_after_their_request(void **state)
{
	static char text[70000];
	struct h1 p;
	size_t n, used, more;

	(void)state;
	n = (size_t)sprintf(text, POST "Content-Length: 60000\r\n\r\n");
	memset(text + n, 'b', 60000);
	assert_int_equal(h1_init(&p, &usual), 0);
	assert_int_equal(h1_feed(&p, text, n + 60000, &used), H1_HEAD);
	assert_int_equal(h1_feed(&p, text + used, 60000, &more), H1_DONE);
	assert_true(p.body_size >= 60000);
	h1_next(&p);
	assert_int_equal(p.body_size, 0);
	assert_false(h1_started(&p));
	h1_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(s27_every_row_of_the_smuggling_table_at_every_split),
		cmocka_unit_test(a_nul_octet_is_refused_wherever_it_stands),
		cmocka_unit_test(a_body_may_hold_any_octet),
		cmocka_unit_test(header_values_are_trimmed_and_found_by_lower_case_name),
		cmocka_unit_test(the_absolute_form_becomes_the_origin_form),
		cmocka_unit_test(s29_the_header_is_bounded_in_octets_and_lines),
		cmocka_unit_test(an_endless_chunked_body_ends_at_the_limit),
		cmocka_unit_test(chunk_extensions_and_trailers_are_bounded),
		cmocka_unit_test(large_buffers_are_given_back_after_their_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
