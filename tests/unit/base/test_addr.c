/* SPDX-License-Identifier: Apache-2.0 */
/* test_addr.c - the address form of the configuration */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/addr.h"

static void host_and_port_are_split(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		bool required;
	} good[] = {
		{ "10.0.0.7:5683", "10.0.0.7", 5683, true }, { "[2001:db8::1]:20000", "2001:db8::1", 20000, true },
		{ "gw.example:1", "gw.example", 1, true },   { "[::]:0", "::", 0, true },
		{ "10.0.0.7", "10.0.0.7", 0, false },        { "[::1]", "::1", 0, false },
		{ "2001:db8::1", "2001:db8::1", 0, false },  { "h:65535", "h", 65535, false },
		{ "[fe80::1%lo]:7", "fe80::1%lo", 7, true },
	};
	char host[256];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(addr_split(good[i].text, host, &port, good[i].required), 0);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {
		"",       ":1",    "h",        "h:",     "h:x",   "h:65536",     "h:123456",
		"h:-1",   "h:+1",  "[::1]",    "[::1:1", "[h]:1", "[]:1",        "[::1]1",
		"::1:80", "a b:1", "[::1]x:1", "h:1:2",  "h/:1",  "[1.2.3.4]:5", "[::1%]:5"
	};
	char host[256], longest[400];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(addr_split(bad[i], host, &port, true), -EBADMSG);
	memset(longest, 'a', sizeof longest);
	strcpy(longest + 256, ":1");
	assert_int_equal(addr_split(longest, host, &port, true), -EBADMSG);
	strcpy(longest + 255, ":1");
	assert_int_equal(addr_split(longest, host, &port, true), 0);
}

static void numeric_addresses_are_read_and_printed_alike(void **state)
{
	static const char *const texts[] = { "127.0.0.1:5683", "[::1]:1", "[2001:db8::7]:65535", "0.0.0.0:0",
					     "[fe80::1%lo]:5" };
	char buf[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(addr_parse(&a, texts[i], true), 0);
		addr_format(&a, buf, sizeof buf);
		assert_string_equal(buf, texts[i]);
	}
	assert_int_equal(addr_parse(&a, "localhost:9", true), 0);
	addr_format(&a, buf, sizeof buf);
	assert_string_equal(buf, "127.0.0.1:9");
	assert_int_equal(addr_parse(&a, "gw.example:9", true), -EBADMSG);
	assert_int_equal(addr_parse(&a, "1.2.3:9", true), -EBADMSG);
	assert_int_equal(addr_parse(&a, "[fe80::1%nosuchinterface]:9", true), -EBADMSG);
	addr_format(&(struct addr){ 0 }, buf, sizeof buf);
	assert_string_equal(buf, "-");
}

static void a_mapped_address_becomes_v4(void **state)
{
	struct addr a, b;

	(void)state;
	assert_int_equal(addr_parse(&a, "[::ffff:10.0.0.7]:80", true), 0);
	assert_int_equal(addr_parse(&b, "10.0.0.7:80", true), 0);
	assert_int_equal(a.u.sa.sa_family, AF_INET);
	assert_true(addr_equal(&a, &b, true));
	addr_set_port(&b, 81);
	assert_int_equal(addr_port(&b), 81);
	assert_false(addr_equal(&a, &b, true));
	assert_true(addr_equal(&a, &b, false));
	assert_true(addr_equal(&(struct addr){ 0 }, &(struct addr){ 0 }, true));
	assert_false(addr_equal(&(struct addr){ 0 }, &a, true));
}

static void loopback_is_known(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} t[] = { { "127.0.0.1:1", true },          { "127.9.9.9:1", true }, { "[::1]:1", true },
		  { "[::ffff:127.0.0.1]:1", true }, { "0.0.0.0:1", false },  { "[::]:1", false },
		  { "128.0.0.1:1", false } };
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		assert_int_equal(addr_parse(&a, t[i].text, true), 0);
		assert_int_equal(addr_is_loopback(&a), t[i].is);
	}
}

static void networks_hold_their_addresses(void **state)
{
	static const struct {
		const char *net, *text;
		bool has;
	} t[] = {
		{ "10.0.0.0/8", "10.255.1.2", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.4", false },
		{ "10.1.2.3/9", "10.0.0.9", true },
		{ "10.128.0.0/9", "10.0.0.9", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "0.0.0.0/0", "1.2.3.4", true },
		{ "0.0.0.0/0", "2001::1", false },
		{ "::/0", "1.2.3.4", true },
	};
	static const char *const bad[] = { "",           "/8",          "10.0.0.0/33",  "::/129",     "10.0.0.0/",
					   "10.0.0.0/x", "h.example/8", "10.0.0.0/8/8", "10.0.0.0/-1" };
	struct addr_net n;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		assert_int_equal(addr_net_parse(&n, t[i].net), 0);
		assert_int_equal(addr_parse(&a, t[i].text, false), 0);
		assert_int_equal(addr_net_has(&n, &a), t[i].has);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(addr_net_parse(&n, bad[i]), -EBADMSG);
}

static void reserved_addresses_are_those_of_no_host_elsewhere(void **state)
{
	static const char *const reserved[] = { "127.0.0.1",
						"0.0.0.0",
						"10.1.2.3",
						"172.31.0.1",
						"192.168.0.1",
						"169.254.169.254",
						"100.64.0.1",
						"224.0.1.187",
						"255.255.255.255",
						"[::1]",
						"[::]",
						"[fe80::1]",
						"[fc00::1]",
						"[ff02::fd]",
						"[2002:7f00:1::]",
						"[64:ff9b::7f00:1]",
						"[2001:0::1]",
						"[::7f00:1]",
						"[2001:db8::1]" };
	static const char *const others[] = { "8.8.8.8",         "172.32.0.1",     "100.128.0.1",
					      "223.255.255.254", "[2a00:1450::1]", "[2606:4700::1111]" };
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
		assert_int_equal(addr_parse(&a, reserved[i], false), 0);
		if (!addr_is_reserved(&a))
			fail_msg("%s", reserved[i]);
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		assert_int_equal(addr_parse(&a, others[i], false), 0);
		if (addr_is_reserved(&a))
			fail_msg("%s", others[i]);
	}
	assert_true(addr_is_reserved(&(struct addr){ .len = 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_addresses_are_those_of_no_host_elsewhere),
		cmocka_unit_test(host_and_port_are_split),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(numeric_addresses_are_read_and_printed_alike),
		cmocka_unit_test(a_mapped_address_becomes_v4),
		cmocka_unit_test(loopback_is_known),
		cmocka_unit_test(networks_hold_their_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
