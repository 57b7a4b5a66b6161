/* SPDX-License-Identifier: Apache-2.0 */
/* test_conf.c - stands for src/north/conf.c: server URIs, and what `north` and `servers` may say */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/opensslv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "north/north.h"

/* ---- URI ---- */

static void uri_is_a_scheme_a_host_and_a_port(void **state)
{
	static const struct {
		const char *uri, *host;
		uint16_t port;
	} good[] = {
		{ "coap://lwm2m.example", "lwm2m.example", 5683 },
		{ "coap://lwm2m.example:5783/", "lwm2m.example", 5783 },
		{ "COAP://a_b-c.example.:1", "a_b-c.example.", 1 },
		{ "coap://10.0.0.7:65535", "10.0.0.7", 65535 },
		{ "coap://[2001:db8::1]", "2001:db8::1", 5683 },
		{ "coap://[::1]:5700", "::1", 5700 },
		{ "coaps://lwm2m.example", "lwm2m.example", 5684 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct server_uri u;

		assert_int_equal(server_uri_parse(&u, good[i].uri), 0);
		assert_string_equal(u.scheme, good[i].uri[4] == 's' ? "coaps" : "coap");
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
	}
}

static void uri_of_another_form_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"lwm2m.example",
		"coap:",
		"coap://",
		"coap:///",
		"coap://:5683",
		"coap://host:",
		"coap://host:0",
		"coap://host:65536",
		"coap://host:1x",
		"coap://user@host",
		"coap://host/path",
		"coap://host?q=1",
		"coap://host#f",
		"coap://ho st",
		"coap://h%41st",
		"coap://-host",
		"coap://.host",
		"coap://a..b",
		"coap://300.1.1.1",
		"coap://1.2.3",
		"coap://::1",
		"coap://[::1",
		"coap://[::1]x",
		"coap://[::1]:",
		"coap://[10.0.0.1]",
		"coap://[host]",
		"coap://[]",
		"http://host",
		"coap+ws://host",
		"coapx://host",
		"://host",
		"coap://host:5683:5683",
		"coap://h\xc3\xb6st",
	};
	struct server_uri u = { .port = 7 };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (server_uri_parse(&u, bad[i]) != -EBADMSG)
			fail_msg("\"%s\" is taken", bad[i]);
	assert_int_equal(u.port, 7);
}

static void host_name_has_a_bound(void **state)
{
	char uri[400] = "coap://";
	struct server_uri u;

	(void)state;
	memset(uri + 7, 'a', 255);
	assert_int_equal(server_uri_parse(&u, uri), 0);
	memset(uri + 7, 'a', 256);
	assert_int_equal(server_uri_parse(&u, uri), -EBADMSG);
	memset(uri + 7, 'a', 390);
	assert_int_equal(server_uri_parse(&u, uri), -EBADMSG);
}

static void scheme_that_is_not_built_is_told_apart_from_nonsense(void **state)
{
	static const char *const later[] = { "coap+nidd://bench/1" };
	struct server_uri u;

	(void)state;
	for (size_t i = 0; i < sizeof later / sizeof *later; i++)
		assert_int_equal(server_uri_parse(&u, later[i]), -ENOTSUP);
}

/* ---- keys ---- */

struct root {
	struct north_conf north;
	struct conf_list servers;
};
static const struct conf_item root_items[] = { CONF_GROUP(struct root, north, north_items),
					       CONF_LIST(struct root, servers, server_items, struct server_conf),
					       CONF_END };

static void check(struct conf_load *load, void *root)
{
	struct root *r = root;

	north_check(load, &r->north, &r->servers);
}

static const struct conf_schema schema = { root_items, sizeof(struct root), check, NULL };

/* All faults of a text as one string, owned; NULL in *c when there are some. */
static char *load(struct conf **c, const char *text)
{
	size_t size;
	char *out = NULL;
	FILE *f = open_memstream(&out, &size);

	*c = NULL;
	assert_non_null(f);
	(void)conf_load_text(c, "t", text, strlen(text), &schema, f);
	fclose(f);
	return out;
}

static void expect_fault(const char *text, const char *where, const char *what)
{
	struct conf *c;
	char *faults = load(&c, text);

	if (c || !strstr(faults, where) || !strstr(faults, what))
		fail_msg("%s\ngives: %s\nand not: %s .. %s", text, faults, where, what);
	free(faults);
}

static void defaults_are_those_of_the_contract(void **state)
{
	struct conf *c;
	char *faults = load(&c, "servers = ( { name = \"main\"; uri = \"coap://127.0.0.1\"; } );");
	const struct server_conf *s;
	const struct root *r;

	(void)state;
	assert_string_equal(faults, "");
	r = conf_root(c);
	assert_string_equal(r->north.ports, "20000-32767");
	assert_null(r->north.bind);
	s = r->servers.v[0];
	assert_int_equal(s->role, SERVER_MANAGEMENT);
	assert_int_equal(s->security, -1);
	assert_int_equal(server_security(s), SERVER_NONE);
	assert_true(s->handshake_timeout_s == 30 && s->handshakes_per_s == 500 && s->dead_after == 3);
	assert_true(s->insert_ep);
	assert_string_equal(s->binding, "keep");
	assert_int_equal(s->queue_flag, SERVER_Q_KEEP);
	assert_int_equal(s->sms, SERVER_SMS_KEEP);
	assert_false(s->strip_uri_host);
	assert_true(s->patience_s == 110 && s->answer_within_s == 240 && s->hold_s == 86400 && s->hold_max == 1000);
	assert_true(s->block_size == 1024 && s->nstart == 1);
	conf_free(c);
	free(faults);
}

static void scheme_that_is_not_built_is_a_fault_that_says_so(void **state)
{
	(void)state;
	expect_fault("servers = ( { name = \"main\"; uri = \"coap+nidd://bench\"; } );", "t:1: servers[0].uri",
		     "not built in this version");
}

static void servers_are_told_apart_by_port_prefix_and_role(void **state)
{
	struct conf *c;
	char *faults = load(&c,
			    "servers = ( { name = \"a\"; uri = \"coap://127.0.0.1\"; },"
			    " { name = \"b\"; uri = \"coap://127.0.0.1:5\"; rds_port = 15; path_prefix = \"/a/b\";"
			    " role = \"bootstrap\"; } );");
	const struct root *r;
	const struct server_conf *s;

	(void)state;
	assert_string_equal(faults, "");
	r = conf_root(c);
	s = r->servers.v[0];
	assert_int_equal(s->rds_port, RDS_PORT_ABSENT);
	assert_null(s->path_prefix);
	s = r->servers.v[1];
	assert_int_equal(s->rds_port, 15);
	assert_string_equal(s->path_prefix, "/a/b");
	assert_int_equal(s->role, SERVER_BOOTSTRAP);
	conf_free(c);
	free(faults);
}

static void fault_names_the_key_and_the_line(void **state)
{
	static const struct {
		const char *text, *where;
	} bad[] = {
		{ "north = { ports = \"30000-20000\"; };", "t:1: north.ports" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n rds_port = 16; } );", "t:2: servers[0].rds_port" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n path_prefix = \"\"; } );",
		  "t:2: servers[0].path_prefix" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n path_prefix = \"a/\"; } );",
		  "t:2: servers[0].path_prefix" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n path_prefix = \"a//b\"; } );",
		  "t:2: servers[0].path_prefix" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n path_prefix = \"1/2/3/4/5/6/7/8/9\"; } );",
		  "t:2: servers[0].path_prefix" },
		{ "north = { bind = \"gw.example\"; };", "t:1: north.bind" },
		{ "north = { bind = \"127.0.0.1:99\"; };", "t:1: north.bind" },
		{ "north = { interface = \"a-name-too-long-for-linux\"; };", "t:1: north.interface" },
		{ "north = { bind = \"127.0.0.1\"; };\nservers = ( { name = \"m\";\n uri = \"coap://[::1]\"; } );",
		  "t:3: servers[0].uri" },
		{ "servers = ( { name = \"m\";\n uri = \"http://h\"; } );", "t:2: servers[0].uri" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n block_size = 100; } );",
		  "t:2: servers[0].block_size" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n binding = \"UQ\"; } );",
		  "t:2: servers[0].binding" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n binding = \"UU\"; } );",
		  "t:2: servers[0].binding" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n patience_s = 0; } );",
		  "t:2: servers[0].patience_s" },
		{ "servers = ( { name = \"m\"; uri = \"coap://h\";\n aliases = [ \"a\", \"\" ]; } );",
		  "t:2: servers[0].aliases[1]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_fault(bad[i].text, bad[i].where, "");
}

/* ---- security ---- */

static char file_dir[] = "/tmp/niddgw-conf-XXXXXX";

static const char *make_file(const char *name, const char *text, mode_t mode)
{
	static char path[8][96];
	static unsigned next;
	char *out = path[next++ % 8];
	FILE *f;

	snprintf(out, sizeof path[0], "%s/%s", file_dir, name);
	unlink(out);
	f = fopen(out, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(out, mode), 0);
	return out;
}

static void security_goes_with_the_scheme(void **state)
{
	static const struct {
		const char *uri, *keys, *fault;
	} cases[] = {
		{ "coaps://h", "", NULL },
		{ "coaps://h", "security = \"psk\";", NULL },
		{ "coaps://h", "security = \"none\";", "servers[0].security: none does not go with \"coaps://h\"" },
		{ "coap://h", "security = \"none\";", NULL },
		{ "coap://h", "security = \"psk\";", "servers[0].security: only none goes with \"coap://h\"" },
		{ "coap://h", "security = \"x509\";", "servers[0].security: only none goes with" },
		{ "coap://h", "pin_sha256 = \"00\";", "servers[0].pin_sha256: is for coaps://" },
		{ "coap://h", "ca_file = \"/etc/passwd\";", "servers[0].ca_file: is for coaps://" },
		{ "coaps://h", "ca_file = \"/etc/passwd\";", "servers[0].ca_file: is for security x509" },
		{ "coaps://h", "security = \"x509\";",
		  "servers[0].security: x509 needs ca_file, ca_dir or pin_sha256" },
		{ "coaps://h", "handshake_timeout_s = 0;", "servers[0].handshake_timeout_s: " },
		{ "coaps://h", "handshake_timeout_s = 301;", "servers[0].handshake_timeout_s: " },
		{ "coaps://h", "dead_after = 0;", "servers[0].dead_after: " },
		{ "coaps://h", "role = \"bootstrap\";", NULL },
#if OPENSSL_VERSION_NUMBER < 0x30200000L
		{ "coaps://h", "security = \"rpk\";", "servers[0].security: rpk needs OpenSSL >= 3.2" },
#endif
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[300], *faults;
		struct conf *c;

		snprintf(text, sizeof text, "servers = ( { name = \"main\"; uri = \"%s\"; %s } );", cases[i].uri,
			 cases[i].keys);
		if (cases[i].fault) {
			expect_fault(text, "t:1: ", cases[i].fault);
			continue;
		}
		faults = load(&c, text);
		assert_string_equal(faults, "");
		conf_free(c);
		free(faults);
	}
}

/* ref/reliability.md S33, S36: no file that says nothing or that others can read stands for "no restriction". */
static void S33_S36_files_that_cannot_be_used_are_refused(void **state)
{
	static const char key[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
	char fifo[96], link[96], text[600];
	const struct {
		const char *name, *path, *fault;
	} cases[] = {
		{ "ca_file", make_file("empty", "", 0644), "is empty" },
		{ "ca_file", make_file("blank", " \r\n", 0644), "holds no certificate" },
		{ "ca_file", file_dir, "is not a regular file" },
		{ "ca_dir", file_dir, "under a hashed name" },
		{ "key_file", make_file("open", key, 0644), "0640 is the most" },
		{ "key_file", make_file("group", key, 0660), "0640 is the most" },
		{ "key_file", fifo, "it is not a regular file" },
		{ "key_file", link, "it is not a regular file" },
		{ "key_file", file_dir, "it is not a regular file" },
	};

	(void)state;
	snprintf(fifo, sizeof fifo, "%s/fifo", file_dir);
	snprintf(link, sizeof link, "%s/link", file_dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink(make_file("key", key, 0600), link), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text,
			 "servers = ( { name = \"main\"; uri = \"coaps://h\"; security = \"x509\";\n %s = \"%s\"; } );",
			 cases[i].name, cases[i].path);
		expect_fault(text, "t:2: servers[0].", cases[i].fault);
	}
	if (geteuid() == 0) { /* of another user */
		assert_int_equal(chown(make_file("key", key, 0600), 12345, 0), 0);
		snprintf(text, sizeof text,
			 "servers = ( { name = \"main\"; uri = \"coaps://h\"; security = \"x509\";\n key_file = "
			 "\"%s/key\"; } );",
			 file_dir);
		expect_fault(text, "t:2: servers[0].key_file", "belongs to user 12345");
	}
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(file_dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", file_dir);
	return system(command) ? -1 : 0;
}

static void bind_takes_both_families(void **state)
{
	static const char *const good[] = { "127.0.0.1", "::", "[2001:db8::1]", "0.0.0.0" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char text[64], *faults;
		struct conf *c;

		snprintf(text, sizeof text, "north = { bind = \"%s\"; };", good[i]);
		faults = load(&c, text);
		assert_string_equal(faults, "");
		conf_free(c);
		free(faults);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uri_is_a_scheme_a_host_and_a_port),
		cmocka_unit_test(uri_of_another_form_is_refused),
		cmocka_unit_test(host_name_has_a_bound),
		cmocka_unit_test(scheme_that_is_not_built_is_told_apart_from_nonsense),
		cmocka_unit_test(defaults_are_those_of_the_contract),
		cmocka_unit_test(scheme_that_is_not_built_is_a_fault_that_says_so),
		cmocka_unit_test(servers_are_told_apart_by_port_prefix_and_role),
		cmocka_unit_test(fault_names_the_key_and_the_line),
		cmocka_unit_test(bind_takes_both_families),
		cmocka_unit_test(security_goes_with_the_scheme),
		cmocka_unit_test(S33_S36_files_that_cannot_be_used_are_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
