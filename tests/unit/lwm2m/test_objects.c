/* SPDX-License-Identifier: Apache-2.0 */
/* test_objects.c - lists of objects, and the record of them that survives a restart */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lwm2m/objects.h"

static const char *shown(const struct lwm2m_objects *o)
{
	static char text[256];
	size_t at = 0;

	if (!o)
		return "none";
	text[0] = '\0';
	if (o->base.len)
		at = (size_t)snprintf(text, sizeof text, "%.*s: ", (int)o->base.len, o->base.p);
	for (size_t i = 0; i < o->n; i++)
		at += (size_t)snprintf(text + at, sizeof text - at,
				       o->v[i].instance == LWM2M_NO_ID ? "%u v%x;" : "%u v%x /%u;", o->v[i].object,
				       o->v[i].version, o->v[i].instance);
	return text;
}

static const struct {
	const char *list, *want; /* want NULL: no list */
} rows[] = {
	{ "</3/0>", "3 v0 /0;" },
	{ "</3/0>,</4>", "3 v0 /0;4 v0;" },
	{ "</5>;ver=1.1,</5/0>,</5/1>", "5 v101;5 v101 /0;5 v101 /1;" },
	{ "</>;rt=\"oma.lwm2m\";ct=110,</3/0>", "3 v0 /0;" },
	{ "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3/0>", "/lwm2m: 3 v0 /0;" },
	{ "</0/0>,</21/0>,</23/0>,</3/0>", "3 v0 /0;" },
	{ "</3/0", NULL },
	{ "garbage", NULL },
};

static void a_list_is_kept_and_comes_back_from_its_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lwm2m_objects *o = NULL, *back;
		int err = lwm2m_objects_new(&o, rows[i].list, strlen(rows[i].list));
		uint8_t buf[256];
		struct writer w = writer_of(buf, sizeof buf);
		struct reader r;

		assert_int_equal(err, rows[i].want ? 0 : -EBADMSG);
		if (err)
			continue;
		assert_string_equal(shown(o), rows[i].want);
		lwm2m_objects_write(&w, o, 100);
		assert_false(w.failed);
		r = reader_of(buf, writer_len(&w));
		back = lwm2m_objects_read(&r);
		assert_false(r.failed);
		assert_int_equal(reader_left(&r), 0);
		assert_string_equal(shown(back), rows[i].want);
		lwm2m_objects_free(back);
		lwm2m_objects_free(o);
	}
}

static void none_and_the_first_of_many_are_written_too(void **state)
{
	static const char list[] = "</3/0>,</4/0>,</5/0>";
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof buf);
	struct lwm2m_objects *o, *back;
	struct reader r;

	(void)state;
	assert_int_equal(lwm2m_objects_new(&o, list, sizeof list - 1), 0);
	lwm2m_objects_write(&w, NULL, 100);
	lwm2m_objects_write(&w, o, 2);
	write_u8(&w, 0x5a);
	r = reader_of(buf, writer_len(&w));
	assert_null(lwm2m_objects_read(&r));
	back = lwm2m_objects_read(&r);
	assert_string_equal(shown(back), "3 v0 /0;4 v0 /0;");
	assert_int_equal(read_u8(&r), 0x5a);
	assert_false(r.failed);
	lwm2m_objects_free(back);
	lwm2m_objects_free(o);
}

static void records_that_are_none_are_refused(void **state)
{
	static const uint8_t many[] = { 0xff, 0xff, 0, 0, 3 }, base[] = { 0, 0, 200, '/', 'x' },
			     cut[] = { 0, 1, 0, 0, 3, 0 }, none[] = { 0 };
	const struct {
		const uint8_t *p;
		size_t len;
	} bad[] = {
		{ many, sizeof many }, { base, sizeof base }, { cut, sizeof cut }, { none, sizeof none }, { none, 0 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct reader r = reader_of(bad[i].p, bad[i].len);

		assert_null(lwm2m_objects_read(&r));
		assert_true(r.failed);
	}
}

static void versions_are_found_by_object(void **state)
{
	static const char list[] = "</3/0>,</5>;ver=1.1,</5/0>";
	struct lwm2m_objects *o;

	(void)state;
	assert_int_equal(lwm2m_objects_new(&o, list, sizeof list - 1), 0);
	assert_int_equal(lwm2m_objects_version(o, 5), LWM2M_VERSION(1, 1));
	assert_int_equal(lwm2m_objects_version(o, 3), 0);
	assert_int_equal(lwm2m_objects_version(o, 9), 0);
	assert_int_equal(lwm2m_objects_version(NULL, 5), 0);
	lwm2m_objects_free(o);
	lwm2m_objects_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_kept_and_comes_back_from_its_record),
		cmocka_unit_test(none_and_the_first_of_many_are_written_too),
		cmocka_unit_test(records_that_are_none_are_refused),
		cmocka_unit_test(versions_are_found_by_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
