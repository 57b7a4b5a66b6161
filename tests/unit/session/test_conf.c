/* SPDX-License-Identifier: Apache-2.0 */
/* test_conf.c - what profiles and devices may say, src/session/conf.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "session/session.h"

struct root {
	struct conf_list links, servers, profiles, devices, rules;
};
static const struct conf_item items[] = {
	CONF_LIST(struct root, links, link_items, struct link_conf, .variants = link_variants),
	CONF_LIST(struct root, servers, server_items, struct server_conf),
	CONF_LIST(struct root, profiles, profile_items, struct profile_conf),
	CONF_LIST(struct root, devices, device_items, struct device_conf),
	CONF_LIST(struct root, rules, rule_items, struct rule_conf, .unnamed = true),
	CONF_END,
};

static void check(struct conf_load *load, void *root)
{
	struct root *r = root;
	const struct session_lists lists = { &r->links, &r->servers, &r->profiles, &r->devices, &r->rules };

	session_check(load, &lists);
}

static const struct conf_schema schema = { items, sizeof(struct root), check, NULL };

/* Links sgi (udp) and op (t8), servers main and safe, profiles nb and plain; then the text. Returns the faults, owned. */
static char *load(struct conf **c, const char *text)
{
	static const char before[] =
		"links = ( { name = \"sgi\"; type = \"udp\"; listen = \"127.0.0.1:1\"; },"
		" { name = \"op\"; type = \"t8\"; api_root = \"http://127.0.0.1:1\"; scs_as_id = \"x\";"
		" callback = { listen = \"127.0.0.1:2\"; url = \"http://127.0.0.1:2\"; }; } );"
		"servers = ( { name = \"main\"; uri = \"coap://127.0.0.1\"; },"
		" { name = \"safe\"; uri = \"coaps://127.0.0.1\"; } );"
		"profiles = ( { name = \"nb\"; }, { name = \"plain\"; dtls = \"off\"; } );\n";
	char *all = malloc(sizeof before + strlen(text)), *faults = NULL;
	size_t size;
	FILE *f = open_memstream(&faults, &size);

	assert_non_null(all);
	assert_non_null(f);
	memcpy(all, before, sizeof before);
	strcat(all, text);
	*c = NULL;
	(void)conf_load_text(c, "t", all, strlen(all), &schema, f);
	fclose(f);
	free(all);
	return faults;
}

static void defaults_are_those_of_the_contract(void **state)
{
	struct conf *c;
	char *faults = load(&c, "devices = ( { name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; } );");
	const struct profile_conf *builtin = profile_builtin(), *p;
	const struct device_conf *d;
	const struct root *r;

	(void)state;
	assert_string_equal(faults, "");
	r = conf_root(c);
	p = r->profiles.v[0];
	d = r->devices.v[0];
	assert_int_equal(p->mtu, 1358);
	assert_int_equal(p->ack_timeout_s, 15);
	assert_int_equal(p->max_retransmit, 4);
	assert_int_equal(p->nstart, 1);
	assert_true(p->empty_ack_at > 0.599 && p->empty_ack_at < 0.601);
	assert_int_equal(p->queue, QUEUE_GATEWAY);
	assert_int_equal(p->queue_max, 64);
	assert_int_equal(p->quota_units_per_min, 600);
	assert_null(d->profile);
	assert_null(d->ep);
	assert_int_equal(d->servers.n, 0);
	/* the profile of a device that names none is one with all defaults */
	assert_memory_equal(&p->mtu, &builtin->mtu, sizeof *p - offsetof(struct profile_conf, mtu));
	conf_free(c);
	free(faults);
}

static void every_identity_goes_with_its_kind_of_link(void **state)
{
	struct conf *c;
	char *faults = load(&c,
			    "devices = ( { name = \"a\"; link = \"sgi\"; address = \"10.0.0.7:5683\"; },"
			    " { name = \"b\"; link = \"sgi\"; address = \"[2001:db8::1]:1\"; ep = \"urn:x\"; },"
			    " { name = \"c\"; link = \"op\"; external_id = \"m@x\"; profile = \"nb\"; },"
			    " { name = \"d\"; link = \"op\"; msisdn = \"491701234567\"; servers = [\"main\"]; } );");

	(void)state;
	assert_string_equal(faults, "");
	conf_free(c);
	free(faults);
}

static void a_device_has_a_list_of_oscore_identities(void **state)
{
	struct conf *c;
	char *faults = load(&c,
			    "devices = ( { name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; oscore = ("
			    " { server = \"main\"; kid = \"0aFF\"; kid_context = \"\"; }, { kid = \"\"; } ); } );");
	const struct oscore_conf *o;
	const struct device_conf *d;
	const struct root *r;

	(void)state;
	assert_string_equal(faults, "");
	r = conf_root(c);
	d = r->devices.v[0];
	assert_int_equal(d->oscore.n, 2);
	o = d->oscore.v[0];
	assert_string_equal(o->server, "main");
	assert_string_equal(o->kid, "0aFF");
	assert_string_equal(o->kid_context, "");
	o = d->oscore.v[1];
	assert_null(o->server);
	assert_null(o->kid_context);
	assert_string_equal(o->kid, "");
	conf_free(c);
	free(faults);
}

static void wrong_records_are_faults_with_their_place(void **state)
{
	static const struct {
		const char *text, *what;
	} bad[] = {
		{ "{ name = \"a\"; link = \"sgi\"; }", "devices[0]: has no identity" },
		{ "{ name = \"a\"; link = \"op\"; external_id = \"m@x\"; msisdn = \"1\"; }",
		  "devices[0]: has more than one identity" },
		{ "{ name = \"a\"; link = \"nope\"; address = \"10.0.0.7\"; }",
		  "devices[0].link: no link is named \"nope\"" },
		{ "{ name = \"a\"; link = \"sgi\"; external_id = \"m@x\"; }",
		  "devices[0].external_id: is no identity on link \"sgi\"" },
		{ "{ name = \"a\"; link = \"op\"; address = \"10.0.0.7\"; }",
		  "devices[0].address: is no identity on link \"op\"" },
		{ "{ name = \"a\"; link = \"op\"; external_id = \"m\"; }",
		  "devices[0].external_id: \"m\" is not of the form" },
		{ "{ name = \"a\"; link = \"op\"; external_id = \"@x\"; }", "devices[0].external_id: " },
		{ "{ name = \"a\"; link = \"op\"; external_id = \"m@x@y\"; }", "devices[0].external_id: " },
		{ "{ name = \"a\"; link = \"op\"; msisdn = \"+49170\"; }", "devices[0].msisdn: " },
		{ "{ name = \"a\"; link = \"op\"; msisdn = \"1234567890123456\"; }", "devices[0].msisdn: " },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"host.example\"; }", "devices[0].address: " },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; profile = \"nbx\"; }",
		  "devices[0].profile: no profile is named \"nbx\"" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; servers = [\"main\", \"other\"]; }",
		  "devices[0].servers[1]: no server is named \"other\"" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; ep = \"\"; }",
		  "devices[0].ep: must have 1 to 128 octets" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; bootstrap_server = \"nope\"; }",
		  "devices[0].bootstrap_server: no server is named \"nope\"" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; bootstrap_server = \"main\"; }",
		  "devices[0].bootstrap_server: server \"main\" is not of role bootstrap" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; oscore = ( { server = \"nope\"; kid = "
		  "\"00\"; } ); }",
		  "devices[0].oscore[0]: no server is named \"nope\"" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; oscore = ( { server = \"main\"; } ); }",
		  "devices[0].oscore[0].kid: required and missing" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; oscore = ( { kid = \"00\"; }, { kid = "
		  "\"0\"; } ); }",
		  "devices[0].oscore[1]: kid \"0\" is not 0 to 64 octets in hexadecimal" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; oscore = ( { kid = \"0g\"; } ); }",
		  "devices[0].oscore[0]: kid \"0g\" is not" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; oscore = ( ); }",
		  "devices[0].oscore: is empty" }, /* S33 */
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; oscore = ( { kid = \"\"; kid_context = "
		  "\"x\"; } ); }",
		  "devices[0].oscore[0]: kid_context \"x\" is not" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; oscore = ( { kid = \"aB\"; }, { kid = "
		  "\"Ab\"; } ); }",
		  "devices[0].oscore[1]: kid \"Ab\" stands in the list twice" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; psk_key = \"file:x\"; }",
		  "devices[0].psk_key: " },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; psk_key = \"0a0b\"; }",
		  "devices[0].psk_key: a secret is named by its file" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; servers = [\"main\", \"safe\"]; profile = \"plain\"; }",
		  "devices[0].psk_key: \"a\" has none, and server \"safe\" has security psk" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; psk_identity = \"\"; }",
		  "devices[0].psk_identity: must have 1 to 128 octets" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; cert_file = \"/dev/null\"; }",
		  "devices[0].cert_file: " },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; }, { name = \"b\"; link = \"sgi\"; address "
		  "= \"10.0.0.7\"; }",
		  "devices[1].address: \"10.0.0.7\" is the identity of \"a\" at t:2 already" },
		{ "{ name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; ep = \"x\"; },"
		  " { name = \"b\"; link = \"op\"; msisdn = \"1\"; ep = \"x\"; }",
		  "devices[1].ep: \"x\" is the endpoint name of \"a\" at t:2 already" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[512], *faults;
		struct conf *c;

		snprintf(text, sizeof text, "devices = ( %s );", bad[i].text);
		faults = load(&c, text);
		if (c || !strstr(faults, bad[i].what))
			fail_msg("%s\ngives: %s\nand not: %s", text, faults, bad[i].what);
		free(faults);
	}
}

static void values_out_of_range_or_not_built_are_faults(void **state)
{
	static const char *const bad[] = { "mtu = 63",
					   "mtu = 1601",
					   "ack_timeout_s = 0",
					   "ack_timeout_s = 301",
					   "max_retransmit = 9",
					   "nstart = 0",
					   "empty_ack_at = 1.1",
					   "queue_max = 0",
					   "quota_units_per_min = 10000001",
					   "block = \"other\"",
					   "oscore = \"other\"",
					   "awake_window_s = 86401",
					   "units_per_window = 0",
					   "units_per_window = 100001; window_s = 5",
					   "units_per_window = 5; window_s = 604801",
					   "units_per_window = 5",
					   "window_s = 5" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[128], *faults = NULL;
		size_t size;
		FILE *f = open_memstream(&faults, &size);
		struct conf *c = NULL;

		assert_non_null(f);
		snprintf(text, sizeof text, "profiles = ( { name = \"p\"; %s; } );", bad[i]);
		(void)conf_load_text(&c, "t", text, strlen(text), &schema, f);
		fclose(f);
		if (c || strncmp(faults, "t:1: profiles[0].", 17) != 0)
			fail_msg("%s gives: %s", text, faults);
		free(faults);
	}
}

/* A secret file with this text. */
static void write_key(char path[32], const char *text, unsigned mode)
{
	int fd;

	strcpy(path, "/tmp/key-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void what_is_in_a_key_file_is_looked_at(void **state)
{
	static const struct {
		const char *content;
		unsigned mode;
		const char *what; /* NULL: it is good */
	} files[] = {
		{ "00112233445566778899aabbccddeeff\n", 0600, NULL },
		{ "00112233445566778899aabbccddeeff", 0640, NULL },
		{ "00112233445566778899aabbccddeeff\n", 0644, "its mode is 0644" },
		{ "0011223\n", 0600, "devices[0].psk_key: " },
		{ "secret\n", 0600, "devices[0].psk_key: " },
		{ "0011\n0011\n", 0600, "devices[0].psk_key: " },
		{ "", 0600, "devices[0].psk_key: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char text[256], path[32], *faults;
		const struct root *r;
		struct conf *c;

		write_key(path, files[i].content, files[i].mode);
		snprintf(text, sizeof text,
			 "devices = ( { name = \"a\"; link = \"sgi\"; address = \"10.0.0.7\"; servers = [\"safe\"];"
			 " psk_key = \"file:%s\"; } );",
			 path);
		faults = load(&c, text);
		if (files[i].what ? c || !strstr(faults, files[i].what) : !c)
			fail_msg("\"%s\" gives: %s", files[i].content, faults);
		assert_null(strstr(faults, "secret\n"));
		if (c) {
			r = conf_root(c);
			assert_string_equal(((const struct device_conf *)r->devices.v[0])->psk_key, path);
		}
		conf_free(c);
		free(faults);
		unlink(path);
	}
}

static void a_rule_names_where_keys_are(void **state)
{
	static const struct {
		const char *text, *what;
	} rules[] = {
		{ "servers = [\"safe\"];", NULL },
		{ "servers = [\"safe\"]; profile = \"plain\";", "rules[0].psk_key_dir: is needed: server \"safe\" has security psk" },
		{ "servers = [\"safe\"]; psk_key_dir = \"/dev/null/x\";", "rules[0].psk_key_dir: " },
		{ "servers = [\"safe\"]; psk_key_dir = \"/tmp\";", NULL },
		{ "servers = [\"main\"];", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		char text[256], *faults;
		struct conf *c;

		snprintf(text, sizeof text, "rules = ( { link = \"sgi\"; %s } );", rules[i].text);
		faults = load(&c, text);
		if (rules[i].what ? c || !strstr(faults, rules[i].what) : !c)
			fail_msg("%s gives: %s", rules[i].text, faults);
		conf_free(c);
		free(faults);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_contract),
		cmocka_unit_test(every_identity_goes_with_its_kind_of_link),
		cmocka_unit_test(a_device_has_a_list_of_oscore_identities),
		cmocka_unit_test(wrong_records_are_faults_with_their_place),
		cmocka_unit_test(values_out_of_range_or_not_built_are_faults),
		cmocka_unit_test(what_is_in_a_key_file_is_looked_at),
		cmocka_unit_test(a_rule_names_where_keys_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
