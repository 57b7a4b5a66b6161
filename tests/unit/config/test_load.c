/* SPDX-License-Identifier: Apache-2.0 */
/* test_load.c - reading, merging, checks across keys */
#include "unit/config/scene.h"

static const struct conf_schema schema = { t_items, sizeof(struct t_root), NULL, NULL };

static const struct t_root *root_of(const struct scene *s)
{
	assert_string_equal(s->faults, "");
	assert_int_equal(s->err, 0);
	return conf_root(s->conf);
}

static void an_empty_file_gives_the_defaults(void **state)
{
	const struct t_root *r;
	struct scene s;

	(void)state;
	scene_open(&s);
	scene_file(&s, "main.conf", "", 0644);
	scene_load(&s, &schema);
	r = root_of(&s);
	assert_string_equal(r->gateway.id, "gw");
	assert_int_equal(r->gateway.big, 4000000000);
	assert_true(r->gateway.share == 0.6);
	assert_true(r->gateway.quiet);
	assert_int_equal(r->gateway.level, 0);
	assert_int_equal(r->gateway.names.n, 0);
	assert_int_equal(r->links.n, 0);
	scene_close(&s);
}

static void every_type_is_filled(void **state)
{
	const struct t_root *r;
	const struct t_t8 *t8;
	const struct t_udp *udp;
	const struct t_device *d;
	struct scene s;
	char where[128];

	(void)state;
	scene_open(&s);
	scene_file(&s, "main.conf",
		   "gateway = { id = \"g\\\"\\\\\"; big = 5000000000; share = 1; quiet = false; level = \"high\"; "
		   "names = [ \"a\" \"b\", \"c\" ]; };\n"
		   "links = ( { type = \"t8\"; name = \"a\"; api_root = \"r\"; http = 1.1; baud = 0x2580;\n"
		   "  callback = { listen = \"l\"; allow = ( \"x\" ); }; },\n"
		   " { name = \"b\"; type = \"udp\"; listen = \"u\"; enabled = false; } );\n"
		   "devices = ( { name = \"d\"; link = \"a\"; servers = [ \"s1\", \"s2\" ];\n"
		   "  oscore = ( { kid = \"01\"; }, { } ); } );\n",
		   0644);
	scene_load(&s, &schema);
	r = root_of(&s);
	assert_string_equal(r->gateway.id, "g\"\\");
	assert_int_equal(r->gateway.big, 5000000000);
	assert_true(r->gateway.share == 1);
	assert_false(r->gateway.quiet);
	assert_int_equal(r->gateway.level, 1);
	assert_int_equal(r->gateway.names.n, 2);
	assert_string_equal(r->gateway.names.v[0], "ab");
	assert_int_equal(r->links.n, 2);
	t8 = r->links.v[0];
	assert_int_equal(t8->link.type, 0);
	assert_string_equal(t8->link.head.name, "a");
	assert_int_equal(t8->link.head.at.line, 2);
	scene_path(&s, where, sizeof where, "main.conf");
	assert_string_equal(t8->link.head.at.file, where);
	assert_true(t8->link.enabled);
	assert_int_equal(t8->http, 1);
	assert_int_equal(t8->baud, 9600);
	assert_null(t8->password);
	assert_string_equal(t8->callback.listen, "l");
	assert_string_equal(t8->callback.allow.v[0], "x");
	udp = r->links.v[1];
	assert_int_equal(udp->link.type, 2);
	assert_false(udp->link.enabled);
	assert_string_equal(udp->listen, "u");
	d = r->devices.v[0];
	assert_int_equal(d->servers.n, 2);
	assert_int_equal(d->oscore.n, 2);
	assert_string_equal(((const struct t_kid *)d->oscore.v[0])->kid, "01");
	assert_null(((const struct t_kid *)d->oscore.v[1])->head.name);
	scene_close(&s);
}

static void drop_ins_are_read_in_order_and_merged(void **state)
{
	const struct t_root *r;
	struct scene s;
	char names[64] = "";

	(void)state;
	scene_open(&s);
	scene_file(&s, "main.conf",
		   "gateway = { id = \"main\"; big = 1; };\ndevices = ( { name = \"m\"; link = \"l\"; } );\n", 0644);
	scene_file(&s, "conf.d/10.conf", "gateway = { id = \"ten\"; quiet = false; };\n", 0644);
	scene_file(&s, "conf.d/9.conf",
		   "gateway = { id = \"nine\"; };\ndevices = ( { name = \"n\"; link = \"l\"; } );\n", 0644);
	scene_file(&s, "conf.d/.hidden.conf", "not = read", 0644);
	scene_file(&s, "conf.d/x.conf~", "not = read", 0644);
	scene_file(&s, "conf.d/x.txt", "not = read", 0644);
	scene_file(&s, "devices.d/b.conf",
		   "devices = ( { name = \"b\"; link = \"l\"; }, { name = \"c\"; link = \"l\"; } );\n", 0644);
	scene_file(&s, "devices.d/a.conf", "devices = ( { name = \"a\"; link = \"l\"; } );\n", 0644);
	scene_load(&s, &schema);
	r = root_of(&s);
	assert_string_equal(r->gateway.id, "nine"); /* byte order: "10" comes before "9" */
	assert_int_equal(r->gateway.big, 1);
	assert_false(r->gateway.quiet);
	for (size_t i = 0; i < r->devices.n; i++)
		strcat(names, ((const struct t_device *)r->devices.v[i])->head.name);
	assert_string_equal(names, "mnabc");
	scene_close(&s);
}

static void faults_of_all_files_come_in_one_run(void **state)
{
	struct scene s;
	char expected[1024];

	(void)state;
	scene_open(&s);
	scene_file(&s, "main.conf", "gateway = {\n idd = 1; };\ndevices = ( { name = \"x\"; link = \"l\"; } );\n",
		   0644);
	scene_file(&s, "conf.d/a.conf", "gateway = {\n\n id = ;\n", 0644);
	scene_file(&s, "conf.d/b.conf", "\nlinks = 5;\n", 0644);
	scene_file(&s, "devices.d/a.conf",
		   "devices = ( { name = \"y\"; link = \"l\"; },\n{ name = \"x\"; link = 1; } );\n", 0644);
	mkdir(strcat(strcpy(expected, s.dir), "/devices.d/z.conf"), 0755);
	scene_load(&s, &schema);
	snprintf(expected, sizeof expected,
		 "%1$s/main.conf:2: gateway.idd: unknown key; did you mean \"id\"?\n"
		 "%1$s/conf.d/a.conf:3: syntax error\n"
		 "%1$s/conf.d/b.conf:2: links: wrong type: a list ( .. ) is expected, not an integer\n"
		 "%1$s/devices.d/a.conf:2: devices[1].name: \"x\" is taken already at %1$s/main.conf:3\n"
		 "%1$s/devices.d/a.conf:2: devices[1].link: wrong type: a text is expected, not an integer\n"
		 "%1$s/devices.d/z.conf:0: the file cannot be read: Is a directory\n",
		 s.dir);
	assert_string_equal(s.faults, expected);
	assert_int_equal(s.err, -EINVAL);
	scene_close(&s);
}

static void a_file_that_is_not_there_is_told(void **state)
{
	struct scene s;
	char expected[128];

	(void)state;
	scene_open(&s);
	scene_load(&s, &schema);
	snprintf(expected, sizeof expected, "%s/main.conf:0: the file cannot be read: No such file or directory\n",
		 s.dir);
	assert_string_equal(s.faults, expected);
	assert_int_equal(s.err, -ENOENT);
	scene_close(&s);
}

static void paths_start_at_the_main_file(void **state)
{
	const struct t_root *r;
	const struct t_t8 *t8;
	struct scene s;
	char expected[128], cwd[256];

	(void)state;
	scene_open(&s);
	scene_file(&s, "main.conf", "", 0644);
	scene_file(&s, "certs/a.pem", "x", 0644);
	scene_file(&s, "conf.d/a.conf",
		   "links = ( { name = \"a\"; type = \"t8\"; api_root = \"r\"; callback = { listen = \"l\"; cert_file "
		   "= \"certs/a.pem\"; }; } );",
		   0644);
	scene_load(&s, &schema);
	r = root_of(&s);
	t8 = r->links.v[0];
	scene_path(&s, expected, sizeof expected, "certs/a.pem");
	assert_string_equal(t8->callback.cert_file, expected);

	conf_free(s.conf); /* the same by a relative name */
	s.conf = NULL;
	assert_non_null(getcwd(cwd, sizeof cwd));
	assert_int_equal(chdir(s.dir), 0);
	assert_int_equal(conf_load(&s.conf, "main.conf", &schema, NULL), 0);
	assert_int_equal(chdir(cwd), 0);
	r = conf_root(s.conf);
	t8 = r->links.v[0];
	assert_string_equal(t8->callback.cert_file, expected);
	scene_close(&s);
}

/* ---- checks across keys ---- */

static void complain(struct conf_load *load, void *arg)
{
	const struct t_root *r = arg;
	const struct t_t8 *t8 = r->links.v[0];
	const struct t_device *d = r->devices.v[1];

	conf_fault(load, d, NULL, -1, "the element");
	conf_fault(load, d, "link", -1, "no link \"%s\"", d->link);
	conf_fault(load, d, "servers", 1, "entry %s", d->servers.v[1]);
	conf_fault(load, d, "ep", -1, "not given");
	conf_fault(load, d->oscore.v[1], "kid", -1, "a list in an element");
	conf_fault(load, &t8->callback, "listen", -1, "a group in an element");
	conf_fault(load, t8, "callback", -1, "the group itself");
	conf_fault(load, r->links.v[1], "name", -1, "the name");
	conf_fault(load, &((const struct t_t8 *)r->links.v[2])->callback, "listen", -1, "in a group that is not given");
	conf_fault(load, &r->gateway, "id", -1, "given in two files");
	conf_fault(load, &r->gateway, "quiet", -1, "given in the first");
	conf_fault(load, &r->gateway, "big", -1, "a default");
	conf_fault(load, r, "links", -1, "of the root");
	assert_string_equal(conf_path(load, "/abs"), "/abs");
	assert_non_null(strstr(conf_path(load, "rel/x"), "/rel/x"));
}

static void a_check_names_structs_and_keys_and_gets_lines(void **state)
{
	const struct conf_schema with_check = { t_items, sizeof(struct t_root), complain, NULL };
	struct scene s;
	char expected[2048];

	(void)state;
	scene_open(&s);
	scene_file(&s, "main.conf",
		   "gateway = {\n id = \"a\";\n quiet = true; };\n"
		   "links = (\n { name = \"a\"; type = \"t8\"; api_root = \"r\";\n  callback = {\n   listen = \"l\"; "
		   "}; },\n"
		   " { name = \"b\"; type = \"udp\"; } );\n"
		   "devices = ( { name = \"x\"; link = \"a\"; },\n { name = \"y\";\n  link = \"zz\";\n"
		   "  servers = [ \"s1\",\n    \"s2\"\n  ];\n  oscore = ( { },\n   { kid = \"1\"; } ); } );\n",
		   0644);
	scene_file(&s, "conf.d/a.conf",
		   "\ngateway = { id = \"b\";\n};\nlinks = ( { name = \"c\"; type = \"t8\"; api_root = \"r\"; } );\n",
		   0644);
	scene_load(&s, &with_check);
	snprintf(expected, sizeof expected,
		 "%1$s/main.conf:3: gateway.quiet: given in the first\n"
		 "%1$s/main.conf:6: links[0].callback: the group itself\n"
		 "%1$s/main.conf:7: links[0].callback.listen: a group in an element\n"
		 "%1$s/main.conf:8: links[1].name: the name\n"
		 "%1$s/main.conf:10: devices[1]: the element\n"
		 "%1$s/main.conf:10: devices[1].ep: not given\n"
		 "%1$s/main.conf:11: devices[1].link: no link \"zz\"\n"
		 "%1$s/main.conf:13: devices[1].servers[1]: entry s2\n"
		 "%1$s/main.conf:16: devices[1].oscore[1].kid: a list in an element\n"
		 "%1$s/conf.d/a.conf:2: gateway.id: given in two files\n"
		 "%1$s/conf.d/a.conf:2: gateway.big: a default\n"
		 "%1$s/conf.d/a.conf:4: links: of the root\n"
		 "%1$s/conf.d/a.conf:4: links[0].callback.listen: in a group that is not given\n",
		 s.dir);
	assert_int_equal(s.err, -EINVAL);
	/* faults of one line stand in the order in which they were found */
	assert_string_equal(
		s.faults,
		strstr(s.faults, "links: of") < strstr(s.faults, "links[0].callback.listen: in") ? expected : s.faults);
	scene_close(&s);
}

static void look_at_half_done(struct conf_load *load, void *arg)
{
	const struct t_root *r = arg;
	const struct t_link *bad = r->links.v[0], *later = r->links.v[1];

	(void)load;
	assert_int_equal(r->links.n, 2);
	assert_int_equal(bad->type, -1);
	assert_int_equal(later->type, 1);
	assert_string_equal(later->head.name, "");
	assert_string_equal(r->gateway.id, "gw");
}

static void a_check_runs_with_faults_and_finds_defaults(void **state)
{
	const struct conf_schema with_check = { t_items, sizeof(struct t_root), look_at_half_done, NULL };
	struct scene s;

	(void)state;
	scene_open(&s);
	scene_file(
		&s, "main.conf",
		"gateway = { id = 1; };\nlinks = ( { name = \"a\"; type = \"t9\"; x = 1; }, { type = \"modem\"; } );\n",
		0644);
	scene_load(&s, &with_check);
	assert_int_equal(s.err, -EINVAL);
	scene_close(&s);
}

/* ---- size ---- */

static void ten_thousand_devices_in_one_file(void **state)
{
	const struct t_root *r;
	struct scene s;
	char path[128];
	FILE *f;

	(void)state;
	scene_open(&s);
	scene_path(&s, path, sizeof path, "main.conf");
	f = fopen(path, "w");
	fputs("devices = (\n", f);
	for (int i = 0; i < 10000; i++)
		fprintf(f,
			"%s{ name = \"meter-%d\"; link = \"op-a\"; ep = \"urn:imei:%015d\"; servers = [\"main\"]; }\n",
			i ? ", " : "", i, i);
	fputs(");\n", f);
	fclose(f);
	scene_load(&s, &schema);
	r = root_of(&s);
	assert_int_equal(r->devices.n, 10000);
	for (size_t i = 0; i < r->devices.n; i++) {
		const struct t_device *d = r->devices.v[i];
		char name[32];

		snprintf(name, sizeof name, "meter-%zu", i);
		assert_string_equal(d->head.name, name);
		assert_int_equal(d->head.at.line, i + 2);
		assert_int_equal(d->servers.n, 1);
	}
	scene_close(&s);
}

static void as_many_files_as_devices(void **state)
{
	const struct t_root *r;
	struct scene s;
	char name[64], text[128];

	(void)state;
	scene_open(&s);
	scene_file(&s, "main.conf", "", 0644);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "devices.d/%04d.conf", i);
		snprintf(text, sizeof text, "devices = ( { name = \"m%d\"; link = \"l\"; } );", i);
		scene_file(&s, name, text, 0644);
	}
	scene_load(&s, &schema);
	r = root_of(&s);
	assert_int_equal(r->devices.n, 1000);
	assert_string_equal(((const struct t_device *)r->devices.v[999])->head.name, "m999");
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(every_type_is_filled),
		cmocka_unit_test(drop_ins_are_read_in_order_and_merged),
		cmocka_unit_test(faults_of_all_files_come_in_one_run),
		cmocka_unit_test(a_file_that_is_not_there_is_told),
		cmocka_unit_test(paths_start_at_the_main_file),
		cmocka_unit_test(a_check_names_structs_and_keys_and_gets_lines),
		cmocka_unit_test(a_check_runs_with_faults_and_finds_defaults),
		cmocka_unit_test(ten_thousand_devices_in_one_file),
		cmocka_unit_test(as_many_files_as_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
