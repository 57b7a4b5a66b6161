/* SPDX-License-Identifier: Apache-2.0 */
/* test_faults.c - wrong configurations and the exact lines they give */
#include "unit/config/scene.h"

/* Each text is main.conf; in the lines, "main" stands for its path. Secret files: ok.key (0600), open.key (0644),
 * two.key (two lines), empty.key, blank.key, crlf.key, long.key, link.key (a symbolic link), dir.key (a directory),
 * plain.pem (0644). */
static const struct wrong {
	const char *text, *lines;
} table[] = {
	/* syntax: the first fault of the file */
	{ "gateway = {\n id = \"x\"\n", "main:3: syntax error\n" },
	{ "gateway = { id = ; };\nlinks = ( ;\n", "main:1: syntax error\n" },
	{ "gateway = { };\n\ngateway = { };\n", "main:3: duplicate setting name\n" },
	{ "gateway = { id = \"a\";\nid = \"b\"; };\n", "main:2: duplicate setting name\n" },
	{ "gateway = { names = [ \"a\",\n1 ]; };\n", "main:2: mismatched element type in array\n" },
	{ "# comment\n@include \"other.conf\"\n",
	  "main:2: @include is not supported: files in conf.d and devices.d beside the main file are read by "
	  "themselves\n" },
	{ "gateway = {\n id = \"a\\x00b\";\n};\n", "main:2: a text must not hold \\x00\n" },
	{ "gateway = {\n id = \"ab\n\n};\n", "main:2: a text without its closing quote\n" },
	{ "gateway = {\n/* id = \"ab\";\n\n};\n", "main:2: a comment without its end\n" },
	{ "a = ((((((((((((((((((((((((((((((((( 1 )))))))))))))))))))))))))))))))));\n",
	  "main:1: nested too deeply\n" },
	/* unknown keys */
	{ "gatevay = { };\n", "main:1: gatevay: unknown key; did you mean \"gateway\"?\n" },
	{ "something = 1;\n", "main:1: something: unknown key\n" },
	{ "gateway = {\n  idd = \"x\";\n};\n", "main:2: gateway.idd: unknown key; did you mean \"id\"?\n" },
	{ "gateway = {\n  zz = 1;\n};\n", "main:2: gateway.zz: unknown key\n" },
	{ "devices = ( { nam = \"a\"; link = \"l\"; } );\n",
	  "main:1: devices[0].name: required and missing\nmain:1: devices[0].nam: unknown key; did you mean "
	  "\"name\"?\n" },
	{ "links = ( { name = \"a\"; type = \"udp\"; },\n { name = \"b\"; type = \"udp\";\n   listem = \"x\"; } );\n",
	  "main:3: links[1].listem: unknown key; did you mean \"listen\"?\n" },
	{ "links = ( { name = \"a\"; type = \"udp\";\n  api_root = \"x\"; } );\n",
	  "main:2: links[0].api_root: unknown key\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\";\n callback = { listen = \"x\";\n alow = [ ]; }; "
	  "} );\n",
	  "main:3: links[0].callback.alow: unknown key; did you mean \"allow\"?\n" },
	/* types */
	{ "gateway = 5;\n", "main:1: gateway: wrong type: a group { .. } is expected, not an integer\n" },
	{ "links = { };\n", "main:1: links: wrong type: a list ( .. ) is expected, not a group { .. }\n" },
	{ "links = [ ];\n", "main:1: links: wrong type: a list ( .. ) is expected, not an array [ .. ]\n" },
	{ "devices = (\n \"a\",\n 2 );\n",
	  "main:2: devices[0]: wrong type: a group { .. } is expected, not a text\n"
	  "main:3: devices[1]: wrong type: a group { .. } is expected, not an integer\n" },
	{ "gateway = { id = 7; };\n", "main:1: gateway.id: wrong type: a text is expected, not an integer\n" },
	{ "gateway = { id = true; };\n", "main:1: gateway.id: wrong type: a text is expected, not true or false\n" },
	{ "gateway = { big = \"7\"; };\n", "main:1: gateway.big: wrong type: an integer is expected, not a text\n" },
	{ "gateway = { big = 7.0; };\n",
	  "main:1: gateway.big: wrong type: an integer is expected, not a real number\n" },
	{ "gateway = { share = \"0.5\"; };\n",
	  "main:1: gateway.share: wrong type: a number is expected, not a text\n" },
	{ "gateway = { quiet = 1; };\n",
	  "main:1: gateway.quiet: wrong type: true or false is expected, not an integer\n" },
	{ "gateway = { quiet = \"yes\"; };\n",
	  "main:1: gateway.quiet: wrong type: true or false is expected, not a text\n" },
	{ "gateway = { level = true; };\n",
	  "main:1: gateway.level: wrong type: a text is expected, not true or false\n" },
	{ "gateway = { names = \"a\"; };\n",
	  "main:1: gateway.names: wrong type: an array [ .. ] of texts is expected, not a text\n" },
	{ "gateway = { names = [ 1,\n 2 ]; };\n",
	  "main:1: gateway.names[0]: wrong type: a text is expected, not an integer\n"
	  "main:2: gateway.names[1]: wrong type: a text is expected, not an integer\n" },
	{ "gateway = { names = ( \"a\",\n{ } ); };\n",
	  "main:2: gateway.names[1]: wrong type: a text is expected, not a group { .. }\n" },
	/* ranges */
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\";\n\n baud = 1152; } );\n",
	  "main:3: links[0].baud: 1152 is below the least value 9600\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; baud = 1000000; } );\n",
	  "main:1: links[0].baud: 1000000 is above the greatest value 921600\n" },
	{ "gateway = { big = -1; };\n", "main:1: gateway.big: -1 is below the least value 0\n" },
	{ "gateway = { big = 2000000000000000; };\n",
	  "main:1: gateway.big: 2000000000000000 is above the greatest value 1000000000000000\n" },
	{ "gateway = { big = 0xffffffffffffffff; };\n",
	  "main:1: gateway.big: a number beyond 64 bits is above the greatest value 1000000000000000\n" },
	{ "gateway = { big = 99999999999999999999999; };\n",
	  "main:1: gateway.big: a number beyond 64 bits is above the greatest value 1000000000000000\n" },
	{ "gateway = { big = 99999999999999999999999LL; };\n",
	  "main:1: gateway.big: a number beyond 64 bits is above the greatest value 1000000000000000\n" },
	{ "gateway = { big = -99999999999999999999999; };\n",
	  "main:1: gateway.big: a number beyond 64 bits is below the least value 0\n" },
	{ "gateway = { big = -3000000000; };\n", "main:1: gateway.big: -3000000000 is below the least value 0\n" },
	{ "gateway = { share = 0.05; };\n", "main:1: gateway.share: 0.05 is below the least value 0.1\n" },
	{ "gateway = { share = 2; };\n", "main:1: gateway.share: 2 is above the greatest value 1\n" },
	/* words */
	{ "gateway = { level = \"lo\"; };\n", "main:1: gateway.level: \"lo\" is not one of \"low\", \"high\"\n" },
	{ "gateway = { level = \"later\"; };\n", "main:1: gateway.level: \"later\" is not built in this version\n" },
	{ "gateway = { colour = \"red\"; };\n", "main:1: gateway.colour: this key is not built in this version\n" },
	{ "links = ( { name = \"a\"; type = \"modem\"; device = \"/dev/ttyS0\"; } );\n",
	  "main:1: links[0].type: \"modem\" is not built in this version\n" },
	{ "links = ( { name = \"a\"; type = \"t9\"; device = \"/dev/ttyS0\"; } );\n",
	  "main:1: links[0].type: \"t9\" is not one of \"t8\", \"udp\"\n" },
	{ "links = ( { name = \"a\"; type = 8; } );\n",
	  "main:1: links[0].type: \"8\" is not one of \"t8\", \"udp\"\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; http = 3; } );\n",
	  "main:1: links[0].http: \"3\" is not one of \"auto\", \"1.1\", \"2\"\n" },
	/* what must be there */
	{ "links = (\n{ name = \"a\"; } );\n", "main:2: links[0].type: required and missing\n" },
	{ "links = (\n{ name = \"a\"; type = \"t8\"; } );\n", "main:2: links[0].api_root: required and missing\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\";\n callback = { }; } );\n",
	  "main:2: links[0].callback.listen: required and missing\n" },
	{ "devices = ( { name = \"a\"; } );\n", "main:1: devices[0].link: required and missing\n" },
	/* names */
	{ "devices = ( { link = \"l\"; } );\n", "main:1: devices[0].name: required and missing\n" },
	{ "devices = ( { name = 3; link = \"l\"; } );\n",
	  "main:1: devices[0].name: wrong type: a text is expected, not an integer\n" },
	{ "devices = ( { name = \"\"; link = \"l\"; } );\n",
	  "main:1: devices[0].name: a name is 1 to 128 octets of printable UTF-8 without \"/\"\n" },
	{ "devices = ( { name = \"a/b\"; link = \"l\"; } );\n",
	  "main:1: devices[0].name: a name is 1 to 128 octets of printable UTF-8 without \"/\"\n" },
	{ "devices = ( { name = \"a\\x07\"; link = \"l\"; } );\n",
	  "main:1: devices[0].name: not printable UTF-8 text\n" },
	{ "devices = ( { name = \"a\"; link = \"l\"; },\n { name = \"b\"; link = \"l\"; },\n { name = \"a\"; link = "
	  "\"l\"; } );\n",
	  "main:3: devices[2].name: \"a\" is taken already at main:1\n" },
	/* texts */
	{ "gateway = { id = \"\\xff\"; };\n", "main:1: gateway.id: not printable UTF-8 text\n" },
	{ "gateway = { id = \"a\nb\"; };\n", "main:1: gateway.id: not printable UTF-8 text\n" },
	{ "gateway = { names = [ \"a\",\n\n \"\\x01\"\n\n ]; };\n",
	  "main:3: gateway.names[1]: not printable UTF-8 text\n" },
	/* files and secrets */
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; callback = { listen = \"x\"; cert_file = "
	  "\"none.pem\"; }; } );\n",
	  "main:1: links[0].callback.cert_file: dir/none.pem cannot be used: No such file or directory\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; callback = { listen = \"x\"; cert_file = "
	  "\"fifo\"; }; } );\n",
	  "main:1: links[0].callback.cert_file: dir/fifo cannot be used: it is neither a regular file nor a "
	  "directory\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; callback = { listen = \"x\"; cert_file = \"\"; "
	  "}; } );\n",
	  "main:1: links[0].callback.cert_file: the path is empty\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"hunter2\"; } );\n",
	  "main:1: links[0].password: a secret is named by its file, as \"file:PATH\"\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:\"; } );\n",
	  "main:1: links[0].password: the path is empty\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:none.key\"; } );\n",
	  "main:1: links[0].password: dir/none.key cannot be used: No such file or directory\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:open.key\"; } );\n",
	  "main:1: links[0].password: dir/open.key cannot be used: its mode is 0644, and 0640 is the most a secret may "
	  "have\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:two.key\"; } );\n",
	  "main:1: links[0].password: dir/two.key cannot be used: it does not hold exactly one line of text\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:empty.key\"; } );\n",
	  "main:1: links[0].password: dir/empty.key cannot be used: it does not hold exactly one line of text\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:blank.key\"; } );\n",
	  "main:1: links[0].password: dir/blank.key cannot be used: it does not hold exactly one line of text\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:crlf.key\"; } );\n",
	  "main:1: links[0].password: dir/crlf.key cannot be used: it does not hold exactly one line of text\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:long.key\"; } );\n",
	  "main:1: links[0].password: dir/long.key cannot be used: it is too long for a secret\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:link.key\"; } );\n",
	  "main:1: links[0].password: dir/link.key cannot be used: it is not a regular file\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:fifo\"; } );\n",
	  "main:1: links[0].password: dir/fifo cannot be used: it is not a regular file\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; key_file = \"plain.pem\"; } );\n",
	  "main:1: links[0].key_file: dir/plain.pem cannot be used: its mode is 0644, and 0640 is the most a secret "
	  "may have\n" },
	{ "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; key_file = \"dir.key\"; } );\n",
	  "main:1: links[0].key_file: dir/dir.key cannot be used: it is not a regular file\n" },
	/* many at once, in the order of lines */
	{ "devices = ( { name = \"a\"; lnk = \"x\"; } );\ngateway = { big = -1;\n id = 1; };\nlinks = ( { type = "
	  "\"x\"; } );\n",
	  "main:1: devices[0].lnk: unknown key; did you mean \"link\"?\nmain:1: devices[0].link: required and missing\n"
	  "main:2: gateway.big: -1 is below the least value 0\nmain:3: gateway.id: wrong type: a text is expected, not "
	  "an integer\n"
	  "main:4: links[0].name: required and missing\nmain:4: links[0].type: \"x\" is not one of \"t8\", \"udp\"\n" },
};

static void make_secrets(const struct scene *s)
{
	char path[128], target[128], huge[5001];

	memset(huge, 'a', 5000);
	huge[5000] = '\0';
	scene_file(s, "ok.key", "secret\n", 0600);
	scene_file(s, "open.key", "secret\n", 0644);
	scene_file(s, "two.key", "a\nb\n", 0600);
	scene_file(s, "empty.key", "", 0600);
	scene_file(s, "blank.key", "  \t\n", 0600);
	scene_file(s, "crlf.key", "a\r\nb", 0600);
	scene_file(s, "long.key", huge, 0600);
	scene_file(s, "plain.pem", "pem\n", 0644);
	scene_path(s, target, sizeof target, "ok.key");
	scene_path(s, path, sizeof path, "link.key");
	assert_int_equal(symlink(target, path), 0);
	scene_path(s, path, sizeof path, "dir.key");
	assert_int_equal(mkdir(path, 0700), 0);
	scene_path(s, path, sizeof path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
}

/* The lines with the scene's paths put back in short: DIR/main.conf as main, DIR/ as dir/. */
static void shorten(const struct scene *s, char *out, size_t size)
{
	const char *p = s->faults;
	size_t len = 0;

	while (*p && len + 1 < size) {
		const size_t dir_len = strlen(s->dir);

		if (strncmp(p, s->dir, dir_len) != 0) {
			out[len++] = *p++;
			continue;
		}
		p += dir_len;
		len += (size_t)snprintf(out + len, size - len, "%s", strncmp(p, "/main.conf", 10) ? "dir" : "main");
		p += strncmp(p, "/main.conf", 10) ? 0 : 10;
	}
	out[len] = '\0';
}

static void each_wrong_configuration_gives_its_exact_lines(void **state)
{
	const struct conf_schema schema = { t_items, sizeof(struct t_root), NULL, NULL };
	struct scene s;
	char lines[4096];
	size_t wrong = 0;

	(void)state;
	scene_open(&s);
	make_secrets(&s);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		scene_file(&s, "main.conf", table[i].text, 0644);
		scene_load(&s, &schema);
		shorten(&s, lines, sizeof lines);
		if (!strcmp(lines, table[i].lines) && s.err == -EINVAL && !s.conf)
			continue;
		print_error("%s\ngave\n%sexpected\n%s\n", table[i].text, lines, table[i].lines);
		wrong++;
	}
	scene_close(&s);
	assert_int_equal(wrong, 0);
}

static void sound_secrets_are_taken(void **state)
{
	const struct conf_schema schema = { t_items, sizeof(struct t_root), NULL, NULL };
	const struct t_root *root;
	const struct t_t8 *t8;
	struct scene s;
	char buf[16], path[128];

	(void)state;
	scene_open(&s);
	make_secrets(&s);
	scene_file(&s, "main.conf",
		   "links = ( { name = \"a\"; type = \"t8\"; api_root = \"x\"; password = \"file:ok.key\"; key_file = "
		   "\"ok.key\";\n"
		   "callback = { listen = \"x\"; cert_file = \"plain.pem\"; }; } );",
		   0644);
	scene_load(&s, &schema);
	assert_string_equal(s.faults, "");
	assert_int_equal(s.err, 0);
	root = conf_root(s.conf);
	t8 = root->links.v[0];
	scene_path(&s, path, sizeof path, "ok.key");
	assert_string_equal(t8->password, path);
	assert_string_equal(t8->key_file, path);
	assert_int_equal(conf_read_secret(t8->password, buf, sizeof buf), 6);
	assert_string_equal(buf, "secret");
	assert_int_equal(conf_read_secret(t8->password, buf, 6), -EMSGSIZE);
	scene_file(&s, "ok.key", "secret\r\n", 0640);
	assert_int_equal(conf_read_secret(t8->password, buf, sizeof buf), 6);
	scene_file(&s, "ok.key", "secret", 0660);
	assert_int_equal(conf_read_secret(t8->password, buf, sizeof buf), -EACCES);
	assert_int_equal(conf_read_secret("/nonexistent/x", buf, sizeof buf), -ENOENT);
	scene_path(&s, path, sizeof path, "two.key");
	assert_int_equal(conf_read_secret(path, buf, sizeof buf), -EBADMSG);
	scene_close(&s);
}

static void a_secret_of_another_user_is_refused(void **state)
{
	struct scene s;
	char buf[16], path[128];

	(void)state;
	if (geteuid())
		skip(); /* only root can give a file away */
	scene_open(&s);
	scene_file(&s, "x.key", "secret\n", 0600);
	scene_path(&s, path, sizeof path, "x.key");
	assert_int_equal(chown(path, 4711, 0), 0);
	assert_int_equal(conf_read_secret(path, buf, sizeof buf), -EACCES);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wrong_configuration_gives_its_exact_lines),
		cmocka_unit_test(sound_secrets_are_taken),
		cmocka_unit_test(a_secret_of_another_user_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
