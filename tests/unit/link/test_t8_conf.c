/* SPDX-License-Identifier: Apache-2.0 */
/* test_t8_conf.c - what the keys of a t8 link must fit together to */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"
#include "link/t8/conf.h"

struct root {
	struct conf_list links;
};

static void check_root(struct conf_load *load, void *arg)
{
	struct root *root = arg;

	for (size_t i = 0; i < root->links.n; i++)
		t8_conf_check(load, root->links.v[i], &root->links);
}

static const struct conf_item root_items[] = { { .name = "links",
						 .type = CONF_TYPE_LIST,
						 .offset = offsetof(struct root, links),
						 .items = link_items,
						 .size = sizeof(struct link_conf),
						 .variants = link_variants },
					       CONF_END };
static const struct conf_schema schema = { root_items, sizeof(struct root), check_root, NULL };

static char faults[4096];
static struct conf *loaded;

/* Faults of links = ( { name = "a"; type = "t8"; TEXT } SECOND ); "" when it is sound. */
static const char *faults_of2(const char *text, const char *second)
{
	char whole[4096];
	FILE *f = fmemopen(faults, sizeof faults, "w");
	int err;

	memset(faults, 0, sizeof faults);
	snprintf(whole, sizeof whole, "links = ( { name = \"a\"; type = \"t8\"; %s }%s );\n", text, second);
	loaded = NULL;
	err = conf_load_text(&loaded, "test", whole, strlen(whole), &schema, f);
	fclose(f);
	assert_int_equal(err != 0, faults[0] != '\0');
	return faults;
}

static const char *faults_of(const char *text)
{
	const char *f = faults_of2(text, "");

	if (loaded)
		conf_free(loaded);
	return f;
}

static void sound(const char *text)
{
	assert_string_equal(faults_of(text), "");
}

static void refused(const char *text, const char *why)
{
	if (!strstr(faults_of(text), why))
		fail_msg("%s\ndoes not say: %s\nbut: %s", text, why, faults);
}

#define PEER "api_root = \"https://scef.example\"; scs_as_id = \"gw7\"; "
#define LOCAL "callback = { listen = \"127.0.0.1:8444\"; url = \"http://gw:8444\"; }; "

static void defaults_are_those_of_the_contract(void **state)
{
	const struct t8_conf *c;

	(void)state;
	assert_string_equal(faults_of2(PEER LOCAL, ""), "");
	c = ((struct root *)conf_root(loaded))->links.v[0];
	assert_int_equal(c->delivery_timeout_s, 60);
	assert_int_equal(c->config_mode, T8_CONFIG_API);
	assert_true(c->test_notification);
	assert_int_equal(c->max_packet_unit, T8_UNIT_BITS);
	assert_int_equal(c->data_ack, T8_ACK_204);
	assert_int_equal(c->maximum_latency_s, 0);
	assert_false(c->lenient);
	assert_null(c->features);
	assert_false(c->callback.allow_unauthenticated);
	conf_free(loaded);
}

static void addresses_of_the_peer(void **state)
{
	(void)state;
	refused("api_root = \"scef.example\"; scs_as_id = \"g\"; " LOCAL, "api_root: not an http:// or https:// URL");
	refused("api_root = \"https://u@h\"; scs_as_id = \"g\"; " LOCAL, "api_root: not an");
	refused("api_root = \"http://scef.example\"; scs_as_id = \"g\"; " LOCAL, "allow_cleartext");
	sound("api_root = \"http://scef.example/SCEF\"; allow_cleartext = true; scs_as_id = \"g\"; " LOCAL);
	sound("api_root = \"http://[::1]:80\"; scs_as_id = \"g\"; " LOCAL);
	sound("api_root = \"http://localhost:9\"; scs_as_id = \"g\"; " LOCAL);
	refused("api_root = \"https://h\"; scs_as_id = \"a/b\"; " LOCAL, "scs_as_id");
	refused("scs_as_id = \"a\"; " LOCAL, "api_root");
}

static void credentials_belong_to_their_method(void **state)
{
	(void)state;
	refused(PEER LOCAL "auth = \"basic\";", "needs user");
	refused(PEER LOCAL "auth = \"oauth2\";", "needs token_url");
	refused(PEER LOCAL "auth = \"mtls\";", "needs cert_file");
	refused(PEER LOCAL "features = \"xyz\";", "hexadecimal");
	refused(PEER LOCAL "pdn_option = \"NEVER\";", "pdn_option");
}

static void rds_ports_are_pairs_of_four_bits(void **state)
{
	(void)state;
	sound(PEER LOCAL "rds_ports = [\"0:15\", \"3:4\"];");
	refused(PEER LOCAL "rds_ports = [\"3:16\"];", "rds_ports[0]"); /* case 56 */
	refused(PEER LOCAL "rds_ports = [\"1:1\", \"16:0\"];", "rds_ports[1]");
	refused(PEER LOCAL "rds_ports = [\"1-2\"];", "rds_ports[0]");
	refused(PEER LOCAL "rds_ports = [\"1:2:3\"];", "rds_ports[0]");
	refused(PEER LOCAL "rds_ports = [\"-1:2\"];", "rds_ports[0]");
	refused(PEER LOCAL "rds_ports = [\" 1:2\"];", "rds_ports[0]");
	refused(PEER LOCAL "rds_ports = [\"1:\"];", "rds_ports[0]");
}

static void what_is_not_built_says_so(void **state)
{
	(void)state;
	refused(PEER LOCAL "dialect = \"thingspace\";", "dialect");
	refused(PEER LOCAL "http = \"2\";", "http");
	refused(PEER LOCAL "rds = true;", "rds");
	sound(PEER LOCAL "rds = false;");
	refused(PEER LOCAL "release = 14;", "release");
}

static void s16_an_open_listener_needs_somebody_to_be_known(void **state)
{
	(void)state;
	refused(PEER "callback = { listen = \"0.0.0.0:8444\"; url = \"http://gw:8444\"; };",
		"listen: others than loopback");
	refused(PEER "callback = { listen = \"[::]:8444\"; url = \"http://gw:8444\"; };",
		"listen: others than loopback");
	sound(PEER
	      "callback = { listen = \"0.0.0.0:8444\"; url = \"http://gw:8444\"; allow_unauthenticated = true; };");
	sound(PEER "callback = { listen = \"0.0.0.0:8444\"; url = \"http://gw:8444\"; allow = [\"10.0.0.0/8\"]; };");
	refused(PEER "callback = { listen = \"0.0.0.0:8444\"; url = \"http://gw:8444\"; path = \"/x\"; allow = "
		     "[\"10.0.0.0/8\"]; };",
		"others than");
	refused(PEER "callback = { listen = \"0.0.0.0:8444\"; url = \"http://gw:8444\"; allow = [\"10.0.0.0/40\"]; };",
		"allow");
	refused(PEER, "callback.listen is missing");
	refused(PEER "callback = { listen = \"127.0.0.1:1\"; };", "callback.url is missing");
	sound(PEER "config_mode = \"none\"; callback = { listen = \"127.0.0.1:1\"; path = \"/x\"; };");
	refused(PEER "callback = { listen = \"127.0.0.1:1\"; url = \"https://gw\"; };", "needs cert_file and key_file");
	refused(PEER "callback = { listen = \"gw.example:1\"; url = \"http://gw\"; };", "is not an address");
}

static void links_may_share_a_listener_with_equal_tls(void **state)
{
	char cert[] = "/tmp/t8-conf-XXXXXX", text[512];
	int fd = mkstemp(cert);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x\n", 2), 2);
	fchmod(fd, 0600);
	close(fd);
	assert_string_equal(faults_of2(PEER LOCAL, ", { name = \"b\"; type = \"t8\"; " PEER LOCAL "}"), "");
	conf_free(loaded);
	snprintf(text, sizeof text,
		 ", { name = \"b\"; type = \"t8\"; " PEER
		 "callback = { listen = \"127.0.0.1:8444\"; url = \"https://gw:8444\"; cert_file = \"%s\"; "
		 "key_file = \"%s\"; }; }",
		 cert, cert);
	assert_non_null(strstr(faults_of2(PEER LOCAL, text), "other TLS settings"));
	assert_non_null(
		strstr(faults_of2(PEER "callback = { listen = \"127.0.0.1:1\"; url = \"http://g\"; path = \"/p\"; };",
				  ", { name = \"b\"; type = \"t8\"; " PEER
				  "callback = { listen = \"127.0.0.1:1\"; url = \"http://g\"; path = \"/p\"; }; }"),
		       "the same path"));
	unlink(cert);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_contract),
		cmocka_unit_test(addresses_of_the_peer),
		cmocka_unit_test(credentials_belong_to_their_method),
		cmocka_unit_test(rds_ports_are_pairs_of_four_bits),
		cmocka_unit_test(what_is_not_built_says_so),
		cmocka_unit_test(s16_an_open_listener_needs_somebody_to_be_known),
		cmocka_unit_test(links_may_share_a_listener_with_equal_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
