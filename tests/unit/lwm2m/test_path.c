/* SPDX-License-Identifier: Apache-2.0 */
/* test_path.c - paths, what never leaves, object lists and units: src/lwm2m/path.c, objects.c, unit.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lwm2m/unit.h"
#include "unit/coap/make.h"
#include "unit/lwm2m/reported.h"

/* ---- paths ---- */

static const char *printed(int err, const struct lwm2m_path *p, const struct lwm2m_text *prefix)
{
	static char text[64];
	char path[LWM2M_PATH_TEXT];
	size_t len;

	if (err)
		return "none";
	len = lwm2m_path_print(path, p);
	assert_int_equal(len, strlen(path));
	snprintf(text, sizeof text, "%.*s%s", prefix ? (int)prefix->len : 0, prefix && prefix->p ? prefix->p : "",
		 path);
	return text;
}

static void a_path_is_read_from_text(void **state)
{
	static const struct {
		const char *base, *text, *want;
	} rows[] = {
		{ NULL, "/3303/0/5700", "/3303/0/5700" },
		{ NULL, "3303/0/5700", "/3303/0/5700" },
		{ NULL, "/65535/65535/65535/65535", "/65535/65535/65535/65535" },
		{ NULL, "/0", "/0" },
		{ NULL, "", "/" },
		{ NULL, "/", "/" },
		{ NULL, "/3/", "/3" },
		{ NULL, "/3//", "none" },
		{ NULL, "//3", "none" },
		{ NULL, "/1/2/3/4/5", "none" },
		{ NULL, "/65536", "none" },
		{ NULL, "/100000", "none" },
		{ NULL, "/00", "none" },
		{ NULL, "/-1", "none" },
		{ NULL, "/3/0x1", "none" },
		{ NULL, "/d01/3/0", "d01/3/0" },
		{ NULL, "/3/d01/0", "none" },
		{ NULL, "/d01", "none" },
		{ NULL, "/rd/5", "none" },
		{ NULL, "/bs", "none" },
		{ NULL, "/dp/1", "none" },
		{ NULL, "/a%20b/3", "none" },
		{ NULL, "/a-word-of-more-than-32-characters/3", "none" },
		{ "/lwm2m", "/lwm2m/3/0", "/3/0" },
		{ "lwm2m", "/lwm2m/3/0", "/3/0" },
		{ "/lwm2m/", "lwm2m/3/0", "/3/0" },
		{ "/lwm2m", "/3/0", "/3/0" },
		{ "/lwm2m", "/lwm2m", "/" },
		{ "/lwm2m", "/lwm2mx/3", "lwm2mx/3" },
		{ "/lwm2m", "/lwm2m/lwm2m/3", "lwm2m/3" },
		{ "/a/b", "/a/b/3", "/3" },
		{ "/a/b", "/a/3", "none" },
		{ "/a/b", "/a/c/3", "none" },
		{ "/9", "/9/3/0", "/3/0" },
		{ "/", "/3/0", "/3/0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct lwm2m_text base = { rows[i].base, rows[i].base ? strlen(rows[i].base) : 0 };
		struct lwm2m_text prefix;
		struct lwm2m_path p;
		int err = lwm2m_path_parse(&p, &prefix, rows[i].text, strlen(rows[i].text), &base);

		if (strcmp(printed(err, &p, &prefix), rows[i].want) != 0)
			fail_msg("%s below %s: got %s", rows[i].text, rows[i].base, printed(err, &p, &prefix));
	}
}

static void a_word_is_refused_where_none_is_wanted(void **state)
{
	struct lwm2m_path p;

	(void)state;
	assert_int_equal(lwm2m_path_parse(&p, NULL, "/d01/3", 6, NULL), -EBADMSG);
	assert_int_equal(lwm2m_path_parse(&p, NULL, "/3", 2, NULL), 0);
}

static const char *of_request(const char *base_text, const struct opt *opts, size_t n)
{
	const struct lwm2m_text base = { base_text, base_text ? strlen(base_text) : 0 };
	struct lwm2m_text prefix;
	struct lwm2m_path p;
	struct made in;
	int err;

	make(&in, COAP_GET, opts, n);
	err = lwm2m_path_of_request(&p, &prefix, &in.m, &base);
	return printed(err, &p, &prefix);
}
#define P(text) TEXT(11, text)

static void a_path_is_read_from_a_request(void **state)
{
	(void)state;
	assert_string_equal(of_request(NULL, OPTIONS(P("3303"), P("0"), P("5700"))), "/3303/0/5700");
	assert_string_equal(of_request(NULL, OPTIONS(TEXT(3, "srv-a"), P("3"), P("0"), TEXT(17, "\x70"))), "/3/0");
	assert_string_equal(of_request(NULL, OPTIONS(TEXT(3, "srv-a"))), "/");
	assert_string_equal(of_request("/lwm2m", OPTIONS(P("lwm2m"), P("3"))), "/3");
	assert_string_equal(of_request(NULL, OPTIONS(P("d01"), P("3"))), "d01/3");
	assert_string_equal(of_request(NULL, OPTIONS(P("rd"), P("5"))), "none");
	assert_string_equal(of_request(NULL, OPTIONS(P("3"), P(""))), "/3");
	assert_string_equal(of_request(NULL, OPTIONS(P("3"), P(""), P("0"))), "none");
	assert_string_equal(of_request(NULL, OPTIONS(P("3/0"))), "none");
	assert_string_equal(of_request(NULL, OPTIONS(P("1"), P("2"), P("3"), P("4"), P("5"))), "none");
}

/* ---- what never leaves ---- */

static bool is_secret(const char *text, const struct lwm2m_registry *r)
{
	struct lwm2m_path p;

	assert_int_equal(lwm2m_path_parse(&p, NULL, text, strlen(text), NULL), 0);
	return lwm2m_path_is_secret(&p, r);
}

static void secrets_never_leave(void **state)
{
	static const char *const secret[] = { "/0",      "/0/0/5",    "/0/1",    "/21",     "/21/0/0",  "/23/0",
					      "/11/0/5", "/11/3/6/1", "/16/0/2", "/24/0/8", "/16/1/2/0" };
	static const char *const open[] = { "/",       "/1",      "/11",    "/11/0",  "/11/0/4",
					    "/16/0/1", "/24/0/7", "/2/0/2", "/3/0/5", "/5" };

	(void)state;
	for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
		if (!is_secret(secret[i], NULL))
			fail_msg("%s", secret[i]);
	for (size_t i = 0; i < sizeof open / sizeof *open; i++)
		if (is_secret(open[i], NULL))
			fail_msg("%s", open[i]);
}

static void a_site_adds_secrets_of_its_own(void **state)
{
	static const char xml[] =
		"<LWM2M><Object Mirror='never'><Name>A</Name><ObjectID>40001</ObjectID></Object>"
		"<Object><Name>B</Name><ObjectID>40002</ObjectID><Resources>"
		"<Item ID='1' Mirror='never'><Name>Key</Name></Item><Item ID='2'><Name>Open</Name></Item>"
		"</Resources></Object>"
		"<Object><Name>B</Name><ObjectID>40002</ObjectID><ObjectVersion>2.0</ObjectVersion></Object></LWM2M>";
	struct lwm2m_registry *r;

	(void)state;
	assert_int_equal(lwm2m_registry_new(&r), 0);
	assert_int_equal(lwm2m_registry_add_xml_text(r, "x", xml, sizeof xml - 1, test_fault, NULL), 0);
	assert_true(is_secret("/40001", r) && is_secret("/40001/0/7", r));
	assert_true(is_secret("/40002/0/1", r) && is_secret("/40002/5/1/0", r)); /* whatever version a device has */
	assert_false(is_secret("/40002/0/2", r) || is_secret("/40002/0", r) || is_secret("/40003/0/1", r));
	assert_true(is_secret("/0/0/5", r));
	lwm2m_registry_free(r);
}

/* ---- lists of objects ---- */

static const char *listed(const char *list)
{
	static char text[512];
	struct lwm2m_objects *o;
	int err = lwm2m_objects_new(&o, list, strlen(list));
	size_t len;

	if (err)
		return err == -EBADMSG ? "bad" : err == -EMSGSIZE ? "long" : "other";
	len = (size_t)snprintf(text, sizeof text, "%.*s", (int)o->base.len, o->base.p);
	for (size_t i = 0; i < o->n; i++) {
		len += (size_t)snprintf(text + len, sizeof text - len, " %u", o->v[i].object);
		if (o->v[i].instance != LWM2M_NO_ID)
			len += (size_t)snprintf(text + len, sizeof text - len, "/%u", o->v[i].instance);
		if (o->v[i].version)
			len += (size_t)snprintf(text + len, sizeof text - len, "v%u.%u", o->v[i].version >> 8,
						o->v[i].version & 255);
	}
	lwm2m_objects_free(o);
	return text;
}

static void objects_of_a_registration(void **state)
{
	static const struct {
		const char *list, *want;
	} rows[] = {
		{ "</>;rt=\"oma.lwm2m\";ct=112,</1/0>,</3/0>,</3303/0>", " 1/0 3/0 3303/0" },
		{ "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/1/0>,</lwm2m/3303>;ver=1.1,</lwm2m/3303/0>",
		  "/lwm2m 1/0 3303v1.1 3303/0v1.1" },
		{ "</1/0>,</a/b>;ct=\"112 60\";rt=\"x oma.lwm2m\",</a/b/3/0>", "/a/b 1/0 3/0" },
		{ "</x>;rt=\"oma.lwm2mx\",</3/0>", " 3/0" },
		{ "</3/0>;ver=\"1.2\", </3>", " 3/0v1.2 3" },
		{ "</3303/0>,</3303>;ver=1.1", " 3303/0v1.1 3303v1.1" },
		{ "</0/0>,</21/0>,</23/0>,</3/0>", " 3/0" },
		{ "</3/0/1>,</sensors>,</dev/3>,<coap://x/3>,</3/0>", " 3/0" },
		{ "</3/0>;a=\"x\\\",y;z\";b,</4/0>", " 3/0 4/0" },
		{ "</3>;ver=300.1,</4>;ver=x,</5>;ver=1,</6>;ver=\"\"", " 3 4 5 6" },
		{ "", "" },
		{ "3/0", "bad" },
		{ "</3/0", "bad" },
		{ "</3/0>;", "bad" },
		{ "</3/0>;a=\"x", "bad" },
		{ "</3/0> </4/0>", "bad" },
		{ "</3/0>,x", "bad" },
		{ "</3/0>\r\n,\t</4/0>", " 3/0 4/0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(listed(rows[i].list), rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].list, listed(rows[i].list));
}

static void a_list_is_bounded(void **state)
{
	static char list[LWM2M_OBJECTS_LEN_MAX + 2];
	struct lwm2m_objects *o;
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i <= LWM2M_OBJECTS_MAX; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, "%s</3303/%u>", i ? "," : "", i);
	assert_int_equal(lwm2m_objects_new(&o, list, len), -EMSGSIZE);
	assert_int_equal(lwm2m_objects_new(&o, list, len - strlen(",</3303/1024>")), 0);
	assert_int_equal(o->n, LWM2M_OBJECTS_MAX);
	assert_int_equal(lwm2m_objects_version(o, 3303), 0);
	lwm2m_objects_free(o);
	memset(list, ' ', sizeof list);
	assert_int_equal(lwm2m_objects_new(&o, list, LWM2M_OBJECTS_LEN_MAX + 1), -EMSGSIZE);
	assert_int_equal(lwm2m_objects_version(NULL, 3303), 0);
}

/* ---- units ---- */

static struct lwm2m_value number_at(uint16_t object, uint16_t instance, uint16_t resource)
{
	return (struct lwm2m_value){ .path = { { object, instance, resource }, 3 }, .kind = LWM2M_VALUE_FLOAT };
}

static struct lwm2m_value units_at(uint16_t object, uint16_t instance, const char *text)
{
	struct lwm2m_value v = number_at(object, instance, LWM2M_UNITS_RESOURCE);

	v.kind = LWM2M_VALUE_STRING;
	v.text = (struct lwm2m_text){ text, strlen(text) };
	return v;
}

static const char *unit(const struct lwm2m_value *v, const struct lwm2m_unit_sources *s)
{
	static char text[64];
	const struct lwm2m_text t = lwm2m_unit_of(v, s);

	if (!t.p)
		return "none";
	snprintf(text, sizeof text, "%.*s", (int)t.len, t.p);
	return text;
}

/* Each source says something: taken away one by one, the next one counts. */
static void units_come_from_the_first_that_knows(void **state)
{
	struct lwm2m_value report[3] = { number_at(3303, 0, 5700), units_at(3303, 1, "K"), units_at(3303, 0, "Cel") };
	struct lwm2m_unit_sources s = { report, 3, { "degF", 4 }, { "site", 4 }, "lx" };

	(void)state;
	report[0].unit = (struct lwm2m_text){ "own", 3 };
	assert_string_equal(unit(&report[0], &s), "own");
	report[0].unit = (struct lwm2m_text){ "", 0 };
	assert_string_equal(unit(&report[0], &s), "Cel");
	s.n = 2;
	assert_string_equal(unit(&report[0], &s), "degF");
	s.last = (struct lwm2m_text){ 0 };
	assert_string_equal(unit(&report[0], &s), "site");
	s.site = (struct lwm2m_text){ 0 };
	assert_string_equal(unit(&report[0], &s), "lx");
	s.registry = NULL;
	assert_string_equal(unit(&report[0], &s), "none");
}

static void what_5701_does_not_speak_for(void **state)
{
	struct lwm2m_value report[4] = { units_at(3303, 0, "Cel"), number_at(3303, 0, 6050), number_at(3303, 0, 5601),
					 number_at(3303, 0, 5700) };
	const struct lwm2m_unit_sources s = { report, 4, { "K", 1 }, { NULL, 0 }, "s" };

	(void)state;
	assert_string_equal(unit(&report[1], &s), "s");
	assert_string_equal(unit(&report[2], &s), "Cel");
	report[3].kind = LWM2M_VALUE_STRING;
	assert_string_equal(unit(&report[3], &s), "s");
	report[3].kind = LWM2M_VALUE_FLOAT;
	report[3].prefix = (struct lwm2m_text){ "d01", 3 }; /* of another device */
	assert_string_equal(unit(&report[3], &s), "K");
}

static void what_tells_a_unit(void **state)
{
	struct lwm2m_value v = units_at(3303, 0, "Cel");

	(void)state;
	assert_non_null(lwm2m_unit_told(&v));
	v.path.id[2] = 5700;
	assert_null(lwm2m_unit_told(&v));
	v = units_at(3303, 0, "");
	assert_null(lwm2m_unit_told(&v));
	v = number_at(3303, 0, LWM2M_UNITS_RESOURCE);
	assert_null(lwm2m_unit_told(&v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_read_from_text),
		cmocka_unit_test(a_word_is_refused_where_none_is_wanted),
		cmocka_unit_test(a_path_is_read_from_a_request),
		cmocka_unit_test(secrets_never_leave),
		cmocka_unit_test(a_site_adds_secrets_of_its_own),
		cmocka_unit_test(objects_of_a_registration),
		cmocka_unit_test(a_list_is_bounded),
		cmocka_unit_test(units_come_from_the_first_that_knows),
		cmocka_unit_test(what_5701_does_not_speak_for),
		cmocka_unit_test(what_tells_a_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
