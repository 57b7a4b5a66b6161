/* SPDX-License-Identifier: Apache-2.0 */
/* test_no_memory.c - decoders, object lists and the registry when the n-th allocation fails: src/lwm2m/gather.c and
 * others */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/lwm2m/rows.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1 /* its allocator is not to be replaced */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static long left = -1; /* allocations until one fails; -1: none does */

#ifndef SANITIZED
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);

static bool fails(void)
{
	return left >= 0 && left-- == 0;
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}
#define NEEDS_OUR_ALLOCATOR() (void)0
#else
#define NEEDS_OUR_ALLOCATOR() skip()
#endif

static void count(void *arg, const struct lwm2m_value *v, size_t n)
{
	(void)v;
	*(size_t *)arg = n;
}

/* How many allocations it takes; each of them missing is told, and nothing is handed over. */
static int tortured(unsigned format, const void *payload, size_t len, size_t values)
{
	const struct lwm2m_decode_in in = { .format = format, .payload = payload, .len = len, .prefixes = true };
	const char *reason;
	size_t got = SIZE_MAX;
	int needed = 0, err;

	for (;; needed++) {
		reason = "none";
		left = needed;
		err = lwm2m_decode(&in, count, &got, &reason);
		left = -1;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_string_equal(reason, "format");
		assert_int_equal(got, SIZE_MAX);
	}
	assert_int_equal(got, values);
	return needed;
}

static void a_report_without_memory_is_not_handed_over(void **state)
{
	static char json[20000];
	static const char one[] = "[{\"n\":\"/3/0/9\",\"v\":0}]";
	static const char escapes[] = "[{\"n\":\"/d/3/0/\\u0030\",\"vs\":\"\\n\"},{\"n\":\"/3/0/1\",\"vd\":\"AA\"}]";
	static const char entries[] = "{\"bn\":\"/3/0/\",\"e\":[{\"n\":\"\\u0030\",\"v\":1}]}";
	const struct octets nested = octets_of_hex("a203a100a2007f61616178ff06a200010105190ce7a100a1191644f94d60");
	size_t len = (size_t)snprintf(json, sizeof json, "[{\"bn\":\"/3/0/9\",\"v\":0}");

	(void)state;
	NEEDS_OUR_ALLOCATOR();
	for (int i = 1; i < 1000; i++)
		len += (size_t)snprintf(json + len, sizeof json - len, ",{\"v\":%d}", i);
	len += (size_t)snprintf(json + len, sizeof json - len, "]");
	assert_true(tortured(LWM2M_CF_SENML_JSON, json, len, 1000) >= 3);
	assert_int_equal(tortured(LWM2M_CF_SENML_JSON, one, sizeof one - 1, 1), 0);
	assert_true(tortured(LWM2M_CF_SENML_JSON, escapes, sizeof escapes - 1, 2) >= 1);
	assert_true(tortured(LWM2M_CF_OMA_JSON, entries, sizeof entries - 1, 1) >= 1);
	assert_true(tortured(LWM2M_CF_LWM2M_CBOR, nested.data, nested.len, 4) >= 1);
}

static void a_list_without_memory_is_told(void **state)
{
	static const char list[] = "</a>;rt=\"oma.lwm2m\",</a/3/0>";
	struct lwm2m_objects *o;

	(void)state;
	NEEDS_OUR_ALLOCATOR();
	left = 0;
	assert_int_equal(lwm2m_objects_new(&o, list, sizeof list - 1), -ENOMEM);
	left = -1;
	assert_int_equal(lwm2m_objects_new(&o, list, sizeof list - 1), 0);
	lwm2m_objects_free(o);
}

static int compile_and_load(struct lwm2m_registry *r)
{
	struct lwm2m_registry *again;
	uint8_t *table;
	size_t len;
	int err = lwm2m_registry_save(r, &table, &len);

	if (err)
		return err;
	err = lwm2m_registry_new(&again);
	if (!err) {
		err = lwm2m_registry_load(again, table, len);
		lwm2m_registry_free(again);
	}
	free(table);
	return err;
}

static void a_registry_without_memory_is_told(void **state)
{
	int needed = 0, err;

	(void)state;
	NEEDS_OUR_ALLOCATOR();
	for (;; needed++) {
		struct lwm2m_registry *r;

		left = needed;
		err = lwm2m_registry_new(&r);
		if (!err) {
			err = lwm2m_registry_add_xml_text(r, "x.xml", test_objects, sizeof test_objects - 1, test_fault,
							  NULL);
			if (!err)
				err = compile_and_load(r);
			lwm2m_registry_free(r);
		}
		left = -1;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	assert_true(needed > 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_without_memory_is_not_handed_over),
		cmocka_unit_test(a_list_without_memory_is_told),
		cmocka_unit_test(a_registry_without_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
