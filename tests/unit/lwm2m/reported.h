/* SPDX-License-Identifier: Apache-2.0 */
/* reported.h - decoding for tests: a payload in, one line of text per value out
 *
 * A line is PATH KIND VALUE, then unit, time and sum where there are some: "/3303/0/5700 float 21.5 Cel @1767225600.000000".
 * A report that is refused gives "!" and the word of its reason.
 */
#ifndef NIDDGW_TESTS_REPORTED_H
#define NIDDGW_TESTS_REPORTED_H

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/decode.h"
#include "lwm2m/objects.h"
#include "lwm2m/registry.h"

#define ARRIVAL_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

/* Object 3 and 3303 in part, and 33001 with one resource of each type: 0 string, 1 integer, 2 unsigned, 3 float, 4 boolean, 5 opaque,
 * 6 time, 7 objlnk, 8 corelnk. */
static const char test_objects[] =
	"<LWM2M><Object><Name>Device</Name><ObjectID>3</ObjectID><ObjectVersion>1.1</ObjectVersion><Resources>"
	"<Item ID=\"0\"><Name>Manufacturer</Name><Type>String</Type></Item>"
	"<Item ID=\"6\"><Name>Available Power Sources</Name><MultipleInstances>Multiple</MultipleInstances><Type>Integer</Type></Item>"
	"<Item ID=\"9\"><Name>Battery Level</Name><Type>Integer</Type><Units>/100</Units></Item>"
	"<Item ID=\"10\"><Name>Memory Free</Name><Type>Integer</Type><Units>KiB</Units></Item>"
	"<Item ID=\"13\"><Name>Current Time</Name><Type>Time</Type></Item>"
	"</Resources></Object>"
	"<Object><Name>Temperature</Name><ObjectID>3303</ObjectID><ObjectVersion>1.1</ObjectVersion>"
	"<MultipleInstances>Multiple</MultipleInstances><Resources>"
	"<Item ID=\"5700\"><Name>Sensor Value</Name><Type>Float</Type></Item>"
	"<Item ID=\"5701\"><Name>Sensor Units</Name><Type>String</Type></Item>"
	"</Resources></Object>"
	"<Object><Name>Every Type</Name><ObjectID>33001</ObjectID><Resources>"
	"<Item ID=\"0\"><Name>S</Name><Type>String</Type></Item><Item ID=\"1\"><Name>I</Name><Type>Integer</Type></Item>"
	"<Item ID=\"2\"><Name>U</Name><Type>Unsigned Integer</Type></Item><Item ID=\"3\"><Name>F</Name><Type>Float</Type></Item>"
	"<Item ID=\"4\"><Name>B</Name><Type>Boolean</Type></Item><Item ID=\"5\"><Name>O</Name><Type>Opaque</Type></Item>"
	"<Item ID=\"6\"><Name>T</Name><Type>Time</Type></Item><Item ID=\"7\"><Name>L</Name><Type>Objlnk</Type></Item>"
	"<Item ID=\"8\"><Name>C</Name><Type>Corelnk</Type></Item>"
	"</Resources></Object></LWM2M>";

static void test_fault(void *arg, const char *file, unsigned line, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s:%u: %s\n", file, line, text);
}

__attribute__((unused)) static struct lwm2m_registry *test_registry(void)
{
	struct lwm2m_registry *r;

	if (lwm2m_registry_new(&r) ||
	    lwm2m_registry_add_xml_text(r, "test.xml", test_objects, sizeof test_objects - 1, test_fault, NULL))
		abort();
	return r;
}

struct reported {
	size_t len, n;
	char text[131072];
};

__attribute__((format(printf, 2, 3))) static void say(struct reported *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->text + r->len, sizeof r->text - r->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof r->text - r->len)
		abort();
	r->len += (size_t)n;
}

__attribute__((unused)) static void say_text(struct reported *r, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		say(r, (unsigned char)p[i] >= ' ' && p[i] != '"' ? "%c" : "\\x%02x", (unsigned char)p[i]);
}

/* The shortest decimal that gives the same number. */
static void say_real(struct reported *r, double d)
{
	char text[40];

	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	say(r, "%s", text);
}

static void say_value(struct reported *r, const struct lwm2m_value *v)
{
	switch (v->kind) {
	case LWM2M_VALUE_STRING:
	case LWM2M_VALUE_CORELNK:
		say(r, "\"");
		say_text(r, v->text.p, v->text.len);
		say(r, "\"");
		break;
	case LWM2M_VALUE_INTEGER:
		say(r, "%" PRId64, v->integer);
		break;
	case LWM2M_VALUE_UNSIGNED:
		say(r, "%" PRIu64, v->natural);
		break;
	case LWM2M_VALUE_FLOAT:
		say_real(r, v->real);
		break;
	case LWM2M_VALUE_BOOLEAN:
		say(r, "%s", v->boolean ? "true" : "false");
		break;
	case LWM2M_VALUE_OPAQUE:
		say(r, "h'");
		for (size_t i = 0; i < v->opaque.len; i++)
			say(r, "%02x", v->opaque.p[i]);
		say(r, "'");
		break;
	case LWM2M_VALUE_TIME:
		say(r, "%" PRId64, v->time.s);
		if (v->time.us)
			say(r, ".%06u", v->time.us);
		break;
	case LWM2M_VALUE_OBJLNK:
		say(r, "%u:%u", v->objlnk.object, v->objlnk.instance);
		break;
	default:
		say(r, "-");
	}
}

__attribute__((unused)) static void on_values(void *arg, const struct lwm2m_value *v, size_t n)
{
	struct reported *r = arg;
	char path[LWM2M_PATH_TEXT];

	r->n = n;
	for (size_t i = 0; i < n; i++, v++) {
		lwm2m_path_print(path, &v->path);
		if (v->prefix.len) {
			say(r, "/");
			say_text(r, v->prefix.p, v->prefix.len);
		}
		say(r, "%s %s ", path, lwm2m_kind_name(v->kind));
		say_value(r, v);
		if (v->unit.len) {
			say(r, " ");
			say_text(r, v->unit.p, v->unit.len);
		}
		if (v->timed)
			say(r, " @%" PRId64 ".%06" PRId64, v->time_us / 1000000, v->time_us % 1000000);
		if (v->has_sum) {
			say(r, " sum ");
			say_real(r, v->sum);
		}
		say(r, "\n");
	}
}

/* The text is the caller's until its next call. */
__attribute__((unused)) static const char *reported(const struct lwm2m_decode_in *in)
{
	static struct reported r;
	const char *reason = "none";
	int err;

	r.len = r.n = 0;
	r.text[0] = '\0';
	err = lwm2m_decode(in, on_values, &r, &reason);
	if (err) {
		if (r.len)
			abort(); /* a report is handed over whole or not at all */
		say(&r, "!%s", reason);
	}
	return r.text;
}

#endif
