/* SPDX-License-Identifier: Apache-2.0 */
/* test_proxy.c - where a request to a forward proxy is to go */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coap/proxy.h"

static int parse(struct coap_uri *u, const char *text)
{
	return coap_uri_parse(u, text, strlen(text));
}

/* S5: one form, or none. */
static void a_uri_has_one_form(void **state)
{
	static const struct {
		const char *text, *scheme, *host;
		uint16_t port;
		bool numeric;
	} cases[] = {
		{ "coap://example.com", "coap", "example.com", 5683, false },
		{ "COAP://EXAMPLE.com./", "coap", "example.com", 5683, false },
		{ "coaps://ex%61mple.com:", "coaps", "example.com", 5684, false },
		{ "coap+tcp://h:1/x", "coap+tcp", "h", 1, false },
		{ "coaps+tcp://h", "coaps+tcp", "h", 5684, false },
		{ "coap://xn--bcher-kva.example", "coap", "xn--bcher-kva.example", 5683, false },
		{ "coap://127.0.0.1:65535", "coap", "127.0.0.1", 65535, true },
		{ "coap://[::1]:7", "coap", "::1", 7, true },
		{ "coap://[0:0::FFFF:7f00:1]", "coap", "::ffff:127.0.0.1", 5683, true },
		{ "coap://2130706433", "coap", "2130706433", 5683, false },
		{ "coap://0x7f.1", "coap", "0x7f.1", 5683, false },
		{ "coap://h?q", "coap", "h", 5683, false },
	};
	struct coap_uri u;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(parse(&u, cases[i].text), 0);
		assert_string_equal(u.scheme, cases[i].scheme);
		assert_string_equal(u.host, cases[i].host);
		assert_int_equal(u.port, cases[i].port);
		assert_int_equal(u.numeric, cases[i].numeric);
	}
}

static void what_is_no_uri_of_coap_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"coap",
		"coap:",
		"coap:/h",
		"coap:h",
		"//h",
		"coap://",
		"coap:///x",
		"coap://user@h",
		"coap://u:p@h/x",
		"coap://h#f",
		"coap://h:0",
		"coap://h:65536",
		"coap://h:99999999999999999999",
		"coap://h:x",
		"coap://[fe80::1%25eth0]",
		"coap://[::1",
		"coap://[::1]x",
		"coap://[1.2.3.4]",
		"coap://%",
		"coap://%A",
		"coap://%zz",
		"coap://%00",
		"coap://a%00b",
		"coap://h/%00",
		"coap://h/%",
		"coap://h/a b",
		"coap://h/.",
		"coap://h/a/../b",
		"coap://h/%2e%2e",
		"coap://a%2fb",
		"coap://a b",
		"coap://h/\x80",
		"coap://.",
		"coap://a..b",
		"coap://a..",
		"1oap://h",
		"co ap://h",
	};
	char longest[COAP_URI_MAX + 2];
	struct coap_uri u;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (parse(&u, bad[i]) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	memset(longest, 'x', sizeof longest);
	assert_int_equal(coap_uri_parse(&u, longest, sizeof longest), -EMSGSIZE);
	memcpy(longest, "coap://", 7);
	assert_int_equal(coap_uri_parse(&u, longest, COAP_URI_MAX), -EBADMSG); /* a name of more than 255 octets */
}

/* S21 */
static void another_scheme_is_told_apart(void **state)
{
	static const char *const foreign[] = { "http://h", "https://h/x", "coap+ws://h", "file:///etc/passwd",
					       "coap-but-much-longer-than-any://h" };
	struct coap_uri u;

	(void)state;
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
		assert_int_equal(parse(&u, foreign[i]), -EPROTONOSUPPORT);
}

static void path_and_query_are_cut_and_decoded(void **state)
{
	struct coap_uri u;

	(void)state;
	assert_int_equal(parse(&u, "coap://h/a%2Fb//c?x=1&y%26&"), 0);
	assert_int_equal(u.path_n, 3);
	assert_memory_equal(u.path[0].p, "a/b", 3);
	assert_int_equal(u.path[1].len, 0);
	assert_int_equal(u.query_n, 3);
	assert_memory_equal(u.query[1].p, "y&", 2);
	assert_int_equal(u.query[2].len, 0);
	assert_int_equal(parse(&u, "coap://h/"), 0);
	assert_int_equal(u.path_n, 0);
}

static struct coap_msg message(uint8_t *buf, size_t size, struct coap_builder *b)
{
	struct coap_msg m;
	long len = coap_build_end(b);

	(void)size;
	assert_true(len > 0);
	assert_int_equal(coap_parse(&m, buf, (size_t)len), 0);
	return m;
}

static void a_request_goes_on_with_what_its_uri_stands_for(void **state)
{
	uint8_t in[300], out[300], want[300];
	struct coap_builder b;
	struct coap_uri u;
	struct coap_msg m;
	long len;

	(void)state;
	coap_build(&b, in, sizeof in, COAP_CON, COAP_GET, 7, (const uint8_t *)"t", 1);
	coap_build_option(&b, COAP_URI_HOST, "ignored", 7);
	coap_build_option(&b, COAP_ETAG, "e", 1);
	coap_build_option(&b, COAP_URI_PATH, "ignored", 7);
	coap_build_uint(&b, COAP_BLOCK2, 0x16);
	coap_build_option(&b, COAP_PROXY_URI, "coap://Files.example:9/fw/1?v=2", 31);
	m = message(in, sizeof in, &b);
	assert_int_equal(coap_proxy_target(&u, &m), 0);
	assert_int_equal(u.port, 9);
	len = coap_proxy_rewrite(&u, &m, out, sizeof out);
	coap_build(&b, want, sizeof want, COAP_CON, COAP_GET, 7, (const uint8_t *)"t", 1);
	coap_build_option(&b, COAP_URI_HOST, "files.example", 13);
	coap_build_option(&b, COAP_ETAG, "e", 1);
	coap_build_option(&b, COAP_URI_PATH, "fw", 2);
	coap_build_option(&b, COAP_URI_PATH, "1", 1);
	coap_build_option(&b, COAP_URI_QUERY, "v=2", 3);
	coap_build_uint(&b, COAP_BLOCK2, 0x16);
	assert_int_equal(len, coap_build_end(&b));
	assert_memory_equal(out, want, (size_t)len);
}

static void proxy_scheme_names_the_rest_by_options(void **state)
{
	uint8_t in[300], out[300];
	struct coap_builder b;
	struct coap_option o;
	struct coap_uri u;
	struct coap_msg m;
	long len;

	(void)state;
	coap_build(&b, in, sizeof in, COAP_CON, COAP_GET, 7, NULL, 0);
	coap_build_option(&b, COAP_URI_HOST, "::1", 3);
	coap_build_uint(&b, COAP_URI_PORT, 5685);
	coap_build_option(&b, COAP_URI_PATH, "x", 1);
	coap_build_option(&b, COAP_PROXY_SCHEME, "coap", 4);
	m = message(in, sizeof in, &b);
	assert_int_equal(coap_proxy_target(&u, &m), 0);
	assert_string_equal(u.host, "::1");
	assert_int_equal(u.port, 5685);
	len = coap_proxy_rewrite(&u, &m, out, sizeof out);
	assert_int_equal(coap_parse(&m, out, (size_t)len), 0);
	assert_true(coap_option_find(&m, COAP_URI_PATH, &o));
	assert_false(coap_option_find(&m, COAP_URI_HOST, &o)); /* an address is no name */
	assert_false(coap_option_find(&m, COAP_PROXY_SCHEME, &o));
}

static void proxy_scheme_without_a_host_or_with_more_than_one_is_refused(void **state)
{
	static const char *const hosts[] = { "a/b", "a@b", "a?b", "a:1:2", "" };
	struct coap_builder b;
	struct coap_uri u;
	struct coap_msg m;
	uint8_t in[300];

	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		coap_build(&b, in, sizeof in, COAP_CON, COAP_GET, 7, NULL, 0);
		coap_build_option(&b, COAP_URI_HOST, hosts[i], strlen(hosts[i]));
		coap_build_option(&b, COAP_PROXY_SCHEME, "coap", 4);
		m = message(in, sizeof in, &b);
		assert_int_equal(coap_proxy_target(&u, &m), -EBADMSG);
	}
	coap_build(&b, in, sizeof in, COAP_CON, COAP_GET, 7, NULL, 0);
	coap_build_option(&b, COAP_PROXY_SCHEME, "coap", 4);
	m = message(in, sizeof in, &b);
	assert_int_equal(coap_proxy_target(&u, &m), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_uri_has_one_form),
		cmocka_unit_test(what_is_no_uri_of_coap_is_refused),
		cmocka_unit_test(another_scheme_is_told_apart),
		cmocka_unit_test(path_and_query_are_cut_and_decoded),
		cmocka_unit_test(a_request_goes_on_with_what_its_uri_stands_for),
		cmocka_unit_test(proxy_scheme_names_the_rest_by_options),
		cmocka_unit_test(proxy_scheme_without_a_host_or_with_more_than_one_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
