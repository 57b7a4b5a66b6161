/* SPDX-License-Identifier: Apache-2.0 */
/* test_conf.c - keys of gateway, admin and log */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/config.h"
#include "control/conf.h"

struct root {
	struct gateway_conf gateway;
	struct admin_conf admin;
	struct log_conf log;
};

static const struct conf_item items[] = {
	CONF_GROUP(struct root, gateway, gateway_items),
	CONF_GROUP(struct root, admin, admin_items),
	CONF_GROUP(struct root, log, log_items),
	CONF_END,
};

static void check(struct conf_load *load, void *root)
{
	struct root *r = root;

	control_check(load, &r->gateway, &r->admin);
}

static const struct conf_schema schema = { items, sizeof(struct root), check, NULL };

/* Loads text; what was complained of is in `faults`. NULL when it was refused. */
static char *faults;

static struct conf *load(const char *text)
{
	struct conf *c = NULL;
	size_t len;
	FILE *f;

	free(faults);
	f = open_memstream(&faults, &len);
	if (conf_load_text(&c, "t.conf", text, strlen(text), &schema, f))
		c = NULL;
	fclose(f);
	return c;
}

static void expect_fault(const char *text, const char *fault)
{
	struct conf *c = load(text);

	assert_null(c);
	if (!strstr(faults, fault))
		fail_msg("%s\nis not about: %s", faults, fault);
}

static struct root *root_of(struct conf *c)
{
	assert_non_null(c);
	return conf_root(c);
}

static void nothing_said_gives_the_defaults(void **state)
{
	struct conf *c = load("");
	struct root *r = root_of(c);
	char id[GATEWAY_ID_MAX], host[GATEWAY_ID_MAX];

	(void)state;
	assert_string_equal(r->gateway.state_dir, "/var/lib/niddgw");
	assert_string_equal(r->gateway.run_dir, "/run/niddgw");
	assert_string_equal(r->admin.listen, "127.0.0.1:9660");
	assert_int_equal(r->log.level, LOG_INFO);
	assert_int_equal(r->log.format, LOG_TEXT);
	gethostname(host, sizeof host);
	assert_string_equal(gateway_id(&r->gateway, id, sizeof id), host);
	conf_free(c);
}

static void a_configured_id_wins_over_the_host_name(void **state)
{
	struct conf *c = load("gateway = { id = \"gw7\"; };");
	char id[GATEWAY_ID_MAX];

	(void)state;
	assert_string_equal(gateway_id(&root_of(c)->gateway, id, sizeof id), "gw7");
	conf_free(c);
}

static void an_id_that_is_no_topic_level_is_a_fault(void **state)
{
	(void)state;
	expect_fault("gateway = { id = \"a/b\"; };", "t.conf:1: gateway.id: ");
	expect_fault("gateway = { id = \"\"; };", "gateway.id: ");
	expect_fault("gateway = { id = \"a\\x01\"; };", "gateway.id: ");
}

/* S44: refused at start */
static void an_admin_address_that_others_can_reach_is_a_fault(void **state)
{
	(void)state;
	expect_fault("admin = { listen = \"0.0.0.0:9660\"; };",
		     "admin.listen: 0.0.0.0:9660 can be reached by other hosts");
	expect_fault("admin = { listen = \"[::]:9660\"; };", "can be reached by other hosts");
	expect_fault("admin = { listen = \"192.0.2.1:9660\"; };", "can be reached by other hosts");
}

static void an_admin_address_that_is_none_is_a_fault(void **state)
{
	(void)state;
	expect_fault("admin = { listen = \"localhost\"; };", "admin.listen: ");
	expect_fault("admin = { listen = \"9660\"; };", "admin.listen: ");
	expect_fault("admin = { listen = \"unix:\"; };", "no path");
}

static void loopback_unix_and_off_are_fine(void **state)
{
	static const char *const good[] = { "127.0.0.1:0",    "127.7.7.7:80", "[::1]:9660",
					    "localhost:9660", "off",          "unix:/run/x/admin" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct conf *c;

		snprintf(text, sizeof text, "admin = { listen = \"%s\"; };", good[i]);
		c = load(text);
		root_of(c);
		conf_free(c);
	}
}

static void the_path_of_a_unix_listener_is_made_absolute(void **state)
{
	struct conf *c = load("admin = { listen = \"unix:/run/x/admin\"; };");

	(void)state;
	assert_string_equal(root_of(c)->admin.unix_path, "/run/x/admin");
	conf_free(c);
}

static void a_directory_that_others_can_write_is_a_fault(void **state)
{
	char dir[] = "/tmp/niddgw-conf-XXXXXX", text[128];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0777), 0);
	snprintf(text, sizeof text, "gateway = { state_dir = \"%s\"; };", dir);
	expect_fault(text, "gateway.state_dir: ");
	snprintf(text, sizeof text, "gateway = { run_dir = \"%s\"; };", dir);
	expect_fault(text, "can be written by others");
	rmdir(dir);
}

static void a_file_in_place_of_a_directory_is_a_fault(void **state)
{
	(void)state;
	expect_fault("gateway = { state_dir = \"/dev/null\"; };", "not a directory");
}

static void a_run_dir_too_long_for_a_socket_is_a_fault(void **state)
{
	char text[256] = "gateway = { run_dir = \"/";

	(void)state;
	memset(text + strlen(text), 'x', 110);
	strcat(text, "\"; };");
	expect_fault(text, "too long");
}

static void every_fault_is_found_in_one_run(void **state)
{
	(void)state;
	expect_fault("gateway = { id = \"/\"; state_dir = \"/dev/null\"; };\nadmin = { listen = \"x\"; };\nlog = { "
		     "level = \"loud\"; };",
		     "log.level");
	assert_non_null(strstr(faults, "gateway.id"));
	assert_non_null(strstr(faults, "gateway.state_dir"));
	assert_non_null(strstr(faults, "t.conf:2: admin.listen"));
}

static int free_faults(void **state)
{
	(void)state;
	free(faults);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_gives_the_defaults),
		cmocka_unit_test(a_configured_id_wins_over_the_host_name),
		cmocka_unit_test(an_id_that_is_no_topic_level_is_a_fault),
		cmocka_unit_test(an_admin_address_that_others_can_reach_is_a_fault),
		cmocka_unit_test(an_admin_address_that_is_none_is_a_fault),
		cmocka_unit_test(loopback_unix_and_off_are_fine),
		cmocka_unit_test(the_path_of_a_unix_listener_is_made_absolute),
		cmocka_unit_test(a_directory_that_others_can_write_is_a_fault),
		cmocka_unit_test(a_file_in_place_of_a_directory_is_a_fault),
		cmocka_unit_test(a_run_dir_too_long_for_a_socket_is_a_fault),
		cmocka_unit_test(every_fault_is_found_in_one_run),
	};

	return cmocka_run_group_tests(tests, NULL, free_faults);
}
