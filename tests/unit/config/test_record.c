/* SPDX-License-Identifier: Apache-2.0 */
/* test_record.c - one struct from texts by key, src/config/record.c */
#include <errno.h>
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

#include "config/schema.h"

struct thing {
	struct conf_head head;
	const char *link, *ep;
	uint64_t cid;
	double part;
	bool on;
	int mode;
	struct conf_texts servers, more;
	const char *key_file, *secret;
	struct conf_list pairs, names;
};
struct pair {
	struct conf_head head;
	const char *left, *right, *far;
};
static const char *const modes[] = { "slow", "fast", "later", NULL };
#define P struct pair
static const struct conf_item pair_items[] = {
	CONF_TEXT(P, left, NULL),
	CONF_TEXT(P, right, NULL, .required = true),
	CONF_TEXT(P, far, "far"),
	CONF_END,
};
#undef P
#define T struct thing
static const struct conf_item items[] = {
	CONF_TEXT(T, link, NULL, .required = true),
	CONF_TEXT(T, ep, "none"),
	CONF_UINT(T, cid, 1, 1, 16),
	CONF_REAL(T, part, 0.5, 0, 1),
	CONF_BOOL(T, on, true),
	CONF_WORD(T, mode, "fast", modes, .unbuilt = 4),
	CONF_TEXTS(T, servers),
	CONF_TEXTS(T, more),
	CONF_KEYFILE(T, key_file),
	CONF_SECRET(T, secret),
	CONF_LATER("psk_key"),
	CONF_LIST(T, pairs, pair_items, struct pair, .unnamed = true),
	CONF_LIST(T, names, pair_items, struct pair),
	CONF_END,
};
#undef T

static const char *dir = "/etc/niddgw";
static char faults[2000];
static unsigned faults_n;

static void on_fault(void *arg, const char *text)
{
	(void)arg;
	faults_n++;
	strncat(faults, text, sizeof faults - strlen(faults) - 2);
	strcat(faults, "\n");
}

static struct thing *make_of(const struct conf_pair *v, size_t n)
{
	void *out = NULL;
	int err;

	faults[0] = '\0';
	faults_n = 0;
	err = conf_record_new(&out, items, sizeof(struct thing), dir, v, n, on_fault, NULL);
	assert_int_equal(err, faults_n ? -EINVAL : 0);
	return out;
}

#define MAKE(...)                                          \
	make_of((const struct conf_pair[]){ __VA_ARGS__ }, \
		sizeof((const struct conf_pair[]){ __VA_ARGS__ }) / sizeof(struct conf_pair))
#define PAIR(k, v)          \
	{                   \
		k, v, false \
	}
#define NAMED PAIR("name", "n"), PAIR("link", "l")
#define EXPECT_FAULT(text, ...)                         \
	do {                                            \
		assert_null(MAKE(__VA_ARGS__));         \
		assert_string_equal(faults, text "\n"); \
	} while (0)

static void every_kind_of_value_is_read(void **state)
{
	struct thing *t = MAKE(PAIR("on", "false"), PAIR("servers", "a;b c;d"), PAIR("cid", "16"),
			       PAIR("name", "the thing"), PAIR("part", "0.25"), PAIR("mode", "slow"), PAIR("link", "x"),
			       PAIR("ep", ""));

	(void)state;
	assert_string_equal(t->head.name, "the thing");
	assert_null(t->head.at.file);
	assert_string_equal(t->link, "x");
	assert_string_equal(t->ep, "");
	assert_int_equal(t->cid, 16);
	assert_true(t->part > 0.249 && t->part < 0.251);
	assert_false(t->on);
	assert_int_equal(t->mode, 0);
	assert_int_equal(t->servers.n, 3);
	assert_string_equal(t->servers.v[1], "b c");
	assert_string_equal(t->servers.v[2], "d");
	assert_int_equal(t->more.n, 0);
	assert_null(t->more.v);
	free(t); /* one allocation */
}

static void what_is_not_given_has_its_default(void **state)
{
	struct thing *t = MAKE(NAMED);

	(void)state;
	assert_string_equal(t->ep, "none");
	assert_int_equal(t->cid, 1);
	assert_true(t->on && t->part > 0.4);
	assert_int_equal(t->mode, 1);
	assert_null(t->key_file);
	assert_int_equal(t->servers.n, 0);
	free(t);
}

static void a_list_may_come_entry_by_entry(void **state)
{
	struct thing *t = MAKE(NAMED, { "servers", "a;a", true }, PAIR("more", "m"), { "servers", "b", true },
			       PAIR("servers", "c;d"), PAIR("more", ""));

	(void)state;
	assert_int_equal(t->servers.n, 4);
	assert_string_equal(t->servers.v[0], "a;a");
	assert_string_equal(t->servers.v[3], "d");
	assert_int_equal(t->more.n, 1);
	free(t);
}

static void a_group_in_a_list_is_its_texts(void **state)
{
	struct thing *t = MAKE(NAMED, PAIR("pairs", "a/b;c/d/e"), { "pairs", "/", true }, { "pairs", "x/;y", true },
			       PAIR("servers", "s"));
	const struct pair *p;

	(void)state;
	assert_int_equal(t->pairs.n, 4);
	p = t->pairs.v[0];
	assert_string_equal(p->left, "a");
	assert_string_equal(p->right, "b");
	assert_string_equal(p->far, "far");
	assert_null(p->head.name);
	p = t->pairs.v[1];
	assert_string_equal(p->far, "e");
	p = t->pairs.v[2];
	assert_string_equal(p->left, "");
	assert_string_equal(p->right, "");
	p = t->pairs.v[3];
	assert_string_equal(p->right, ";y");
	assert_string_equal(t->servers.v[0], "s");
	free(t);
	t = MAKE(NAMED, PAIR("pairs", ""));
	assert_int_equal(t->pairs.n, 0);
	assert_null(t->pairs.v);
	free(t);
}

static void each_fault_says_its_key(void **state)
{
	(void)state;
	EXPECT_FAULT("pairs: an entry has too many parts, which \"/\" separates", NAMED, PAIR("pairs", "a/b/c/d"));
	EXPECT_FAULT("pairs: an entry has no right: its parts stand with \"/\" between them", NAMED,
		     PAIR("pairs", "a"));
	EXPECT_FAULT("pairs: an entry of the list is empty", NAMED, PAIR("pairs", "a/b;"));
	EXPECT_FAULT("names: this key can be given in the files only", NAMED, PAIR("names", "a/b"));
	EXPECT_FAULT("lnik: unknown key; did you mean \"link\"?", NAMED, PAIR("lnik", "x"));
	EXPECT_FAULT("quite_else: unknown key", NAMED, PAIR("quite_else", "x"));
	EXPECT_FAULT("link: required and missing", PAIR("name", "n"));
	EXPECT_FAULT("name: required and missing", PAIR("link", "l"));
	EXPECT_FAULT("name: a name is 1 to 128 octets of printable UTF-8 without \"/\"", PAIR("name", "a/b"),
		     PAIR("link", "l"));
	EXPECT_FAULT("name: given twice", NAMED, PAIR("name", "m"));
	EXPECT_FAULT("ep: given twice", NAMED, PAIR("ep", "a"), PAIR("ep", "b"));
	EXPECT_FAULT("ep: not printable UTF-8 text", NAMED, PAIR("ep", "a\nb"));
	EXPECT_FAULT("ep: not printable UTF-8 text", NAMED, PAIR("ep", "\xff"));
	EXPECT_FAULT("servers: an entry of the list is empty", NAMED, PAIR("servers", "a;"));
	EXPECT_FAULT("servers: an entry of the list is empty", NAMED, { "servers", "", true });
	EXPECT_FAULT("cid: an integer is expected, not \"-1\"", NAMED, PAIR("cid", "-1"));
	EXPECT_FAULT("cid: an integer is expected, not \"9999999999999999999\"", NAMED,
		     PAIR("cid", "9999999999999999999"));
	EXPECT_FAULT("cid: 0 is below the least value 1", NAMED, PAIR("cid", "0"));
	EXPECT_FAULT("cid: 17 is above the greatest value 16", NAMED, PAIR("cid", "17"));
	EXPECT_FAULT("part: a number is expected, not \"nan\"", NAMED, PAIR("part", "nan"));
	EXPECT_FAULT("on: true or false is expected, not \"yes\"", NAMED, PAIR("on", "yes"));
	EXPECT_FAULT("mode: \"quick\" is none of its words", NAMED, PAIR("mode", "quick"));
	EXPECT_FAULT("mode: \"later\" is not built in this version", NAMED, PAIR("mode", "later"));
	EXPECT_FAULT("psk_key: this key is not built in this version", NAMED, PAIR("psk_key", "x"));
	EXPECT_FAULT("key_file: names no file", NAMED, PAIR("key_file", ""));
	EXPECT_FAULT("secret: names no file", NAMED, PAIR("secret", "file:"));
	EXPECT_FAULT("secret: a secret is named by its file, as \"file:PATH\"", NAMED, PAIR("secret", "0a0b0c"));
}

static void paths_are_absolute_in_the_record(void **state)
{
	struct thing *t = MAKE(NAMED, PAIR("key_file", "keys/n.pem"), PAIR("secret", "file:n.key"));

	(void)state;
	assert_string_equal(t->key_file, "/etc/niddgw/keys/n.pem");
	assert_string_equal(t->secret, "/etc/niddgw/n.key");
	free(t);
	t = MAKE(NAMED, PAIR("key_file", "/n.pem"), PAIR("secret", "file:/n.key"));
	assert_string_equal(t->key_file, "/n.pem");
	assert_string_equal(t->secret, "/n.key");
	free(t);
	dir = NULL;
	EXPECT_FAULT("secret: \"n.key\" is not an absolute path", NAMED, PAIR("secret", "file:n.key"));
	dir = "/etc/niddgw";
}

static void files_of_a_record_are_asked_for(void **state)
{
	char path[] = "/tmp/record-XXXXXX", text[64];
	int fd = mkstemp(path);
	struct thing *t;

	(void)state;
	assert_int_equal(write(fd, "0a0b\n", 5), 5);
	snprintf(text, sizeof text, "file:%s", path);
	t = MAKE(NAMED, PAIR("secret", text));
	assert_true(conf_record_files(items, t, on_fault, NULL));
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_false(conf_record_files(items, t, on_fault, NULL));
	assert_non_null(strstr(faults, "secret: "));
	assert_non_null(strstr(faults, "its mode is 0644"));
	assert_int_equal(unlink(path), 0);
	assert_false(conf_record_files(items, t, on_fault, NULL));
	free(t);
	close(fd);
}

static void all_faults_are_told_at_once_and_escaped(void **state)
{
	(void)state;
	assert_null(MAKE(PAIR("\x1b[2J", "x"), PAIR("cid", "x\n"), PAIR("on", "")));
	assert_int_equal(faults_n, 5);
	assert_null(strchr(faults, '\x1b'));
}

static void texts_have_a_bound(void **state)
{
	char long_text[4098];

	(void)state;
	memset(long_text, 'x', sizeof long_text);
	long_text[4097] = '\0';
	EXPECT_FAULT("ep: longer than 4096 octets", NAMED, PAIR("ep", long_text));
	long_text[4096] = '\0';
	free(MAKE(NAMED, PAIR("ep", long_text)));
	assert_int_equal(faults_n, 0);
}

static void a_key_can_be_asked_for_beforehand(void **state)
{
	(void)state;
	faults_n = 0;
	assert_true(conf_record_key(items, "name", on_fault, NULL));
	assert_true(conf_record_key(items, "servers", on_fault, NULL));
	assert_false(conf_record_key(items, "psk_key", on_fault, NULL));
	assert_false(conf_record_key(items, "nothing", on_fault, NULL));
	assert_int_equal(faults_n, 2);
}

struct again {
	struct conf_pair v[32];
	char text[32][64];
	size_t n;
};

static void keep(void *arg, const struct conf_pair *p, bool list)
{
	struct again *a = arg;

	assert_int_equal(list, strcmp(p->key, "servers") == 0 || strcmp(p->key, "pairs") == 0);
	snprintf(a->text[a->n], sizeof a->text[0], "%s", p->value);
	a->v[a->n] = (struct conf_pair){ p->key, a->text[a->n], p->entry };
	a->n++;
}

static void a_record_can_be_made_of_its_own_values_again(void **state)
{
	struct thing *t = MAKE(NAMED, PAIR("secret", "file:k"), PAIR("ep", "e"), PAIR("cid", "7"), PAIR("part", "0.1"),
			       PAIR("on", "false"), PAIR("mode", "slow"), { "servers", "a;b", true },
			       { "servers", "c", true }, PAIR("pairs", "a/;/b/c")),
		     *u;
	struct again a = { .n = 0 };

	(void)state;
	conf_record_each(items, t, keep, &a);
	assert_int_equal(a.n, 11);
	a.v[a.n++] = (struct conf_pair){ "name", "n", false };
	u = make_of(a.v, a.n);
	assert_string_equal(u->ep, "e");
	assert_string_equal(u->secret, "/etc/niddgw/k");
	assert_int_equal(u->cid, 7);
	assert_true(u->part == t->part && !u->on && u->mode == 0);
	assert_int_equal(u->servers.n, 2);
	assert_string_equal(u->servers.v[0], "a;b");
	assert_string_equal(((const struct pair *)u->pairs.v[0])->right, "");
	assert_string_equal(((const struct pair *)u->pairs.v[1])->far, "c");
	free(t);
	free(u);
	t = MAKE(NAMED);
	a.n = 0;
	conf_record_each(items, t, keep, &a);
	assert_int_equal(a.n, 1); /* link: the rest is as it is by default */
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_value_is_read),
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(a_list_may_come_entry_by_entry),
		cmocka_unit_test(a_group_in_a_list_is_its_texts),
		cmocka_unit_test(each_fault_says_its_key),
		cmocka_unit_test(paths_are_absolute_in_the_record),
		cmocka_unit_test(files_of_a_record_are_asked_for),
		cmocka_unit_test(all_faults_are_told_at_once_and_escaped),
		cmocka_unit_test(texts_have_a_bound),
		cmocka_unit_test(a_key_can_be_asked_for_beforehand),
		cmocka_unit_test(a_record_can_be_made_of_its_own_values_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
