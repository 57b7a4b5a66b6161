/* SPDX-License-Identifier: Apache-2.0 */
/* test_print.c - the annotated defaults and the configuration in effect */
#include "unit/config/scene.h"

static const struct conf_schema schema = { t_items, sizeof(struct t_root), NULL, NULL };

static char *text;
static size_t len;

static const char *defaults(void)
{
	FILE *to = open_memstream(&text, &len);

	conf_print_defaults(&schema, to);
	fclose(to);
	return text;
}

static const char *effective(const struct conf *c)
{
	FILE *to = open_memstream(&text, &len);

	conf_print(c, &schema, to);
	fclose(to);
	return text;
}

static struct conf *load(const char *from)
{
	struct conf *c = NULL;

	assert_int_equal(conf_load_text(&c, "/x/main.conf", from, strlen(from), &schema, stderr), 0);
	return c;
}

static void the_defaults_are_a_sound_idle_configuration(void **state)
{
	const struct t_root *r;
	struct conf *c;

	(void)state;
	c = load(defaults());
	r = conf_root(c);
	assert_string_equal(r->gateway.id, "gw");
	assert_int_equal(r->gateway.big, 4000000000);
	assert_true(r->gateway.share == 0.6);
	assert_int_equal(r->links.n + r->devices.n, 0);
	conf_free(c);
	free(text);
}

static void every_key_is_shown_with_range_unit_words_and_reload(void **state)
{
	static const char *const parts[] = {
		"    # Name of this gateway. Reload: at once.\n    id = \"gw\";\n",
		"    # Something large. 0 to 1000000000000000 octets. Reload: at once.\n    big = 4000000000L;\n",
		"    # A share. 0.1 to 1. Reload: at once.\n    share = 0.6;\n",
		"    # Say less. Reload: at the next start.\n    quiet = true;\n",
		"    # How much. One of \"low\", \"high\". Reload: at once.\n    level = \"low\";\n",
		"# Links.\n# links = (\n",
		"    # Other names. Reload: at once.\n    # names = [ ];\n",
		"#     {\n#         # Name, unique in the list",
		"#         type = \"t8\";\n",
		"#         type = \"udp\";\n",
		"#         callback = {\n",
		"#             # Where to listen. Required. Reload: at once.\n#             listen = \"\";\n",
		"#         # Password. \"file:PATH\"; one line, mode 0640 or tighter. Reload: at once.\n#         "
		"# password = \"file:\";\n",
		"#         oscore = (\n#             {\n#                 # Key id. Reload: at once.\n#                "
		" # kid = \"\";\n",
	};
	const char *all = defaults();

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!strstr(all, parts[i]))
			fail_msg("missing: %s\nin\n%s", parts[i], all);
	assert_null(strstr(all, "colour"));
	assert_null(strstr(all, "modem"));
	assert_null(strstr(all, "\"later\""));
	free(text);
}

/* Takes the marks in the first column away between "# NAME = (" and "# );". */
static void uncomment_lists(char *all)
{
	bool in_list = false;

	for (char *line = all; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *end = strchr(line, '\n');

		if (!strncmp(line, "# ", 2) && end > line + 3 && end[-1] == '(' && line[2] != ' ')
			in_list = true;
		if (in_list)
			line[0] = ' ';
		if (!strncmp(line, "  );\n", 6))
			in_list = false;
	}
}

static void uncommented_lists_wait_only_for_names(void **state)
{
	struct conf *c = NULL;
	char *faults = NULL;
	size_t faults_len = 0;
	FILE *to = open_memstream(&faults, &faults_len);

	(void)state;
	defaults();
	uncomment_lists(text);
	assert_int_equal(conf_load_text(&c, "x", text, len, &schema, to), -EINVAL);
	fclose(to);
	for (char *line = strtok(faults, "\n"); line; line = strtok(NULL, "\n"))
		assert_non_null(strstr(line, "name: a name is 1 to 128 octets"));
	free(faults);
	free(text);
}

static void what_is_in_effect_reads_back_the_same(void **state)
{
	struct conf *a, *b;
	char *first;

	(void)state;
	a = load("gateway = { id = \"q\\\"\\\\\"; big = 5000000000; names = [ \"x\", \"y\" ]; share = 0.1; };\n"
		 "links = ( { name = \"a\"; type = \"t8\"; api_root = \"r\"; http = 2; callback = { listen = \"l\"; }; "
		 "},\n"
		 "  { name = \"b\"; type = \"udp\"; } );\n"
		 "devices = ( { name = \"d\"; link = \"a\"; oscore = ( { kid = \"1\"; } ); } );\n");
	first = strdup(effective(a));
	free(text);
	b = load(first);
	assert_string_equal(effective(b), first);
	assert_non_null(strstr(first, "big = 5000000000L;"));
	assert_non_null(strstr(first, "http = \"2\";"));
	assert_non_null(strstr(first, "baud = 115200;"));
	free(text);
	free(first);
	conf_free(a);
	conf_free(b);
}

static void secrets_are_masked(void **state)
{
	struct scene s;
	const char *all;

	(void)state;
	scene_open(&s);
	scene_file(&s, "a.key", "hunter2\n", 0600);
	scene_file(&s, "main.conf",
		   "links = ( { name = \"a\"; type = \"t8\"; api_root = \"r\"; password = \"file:a.key\"; } );\n",
		   0644);
	scene_load(&s, &schema);
	assert_int_equal(s.err, 0);
	all = effective(s.conf);
	assert_non_null(strstr(all, "password = \"file:***\";"));
	assert_null(strstr(all, "a.key"));
	assert_null(strstr(all, "hunter2"));
	free(text);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_a_sound_idle_configuration),
		cmocka_unit_test(every_key_is_shown_with_range_unit_words_and_reload),
		cmocka_unit_test(uncommented_lists_wait_only_for_names),
		cmocka_unit_test(what_is_in_effect_reads_back_the_same),
		cmocka_unit_test(secrets_are_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
