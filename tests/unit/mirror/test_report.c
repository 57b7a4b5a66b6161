/* SPDX-License-Identifier: Apache-2.0 */
/* test_report.c - reports of units: names, types, units of measure, versions, what is left out */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lwm2m/registry.h"
#include "mirror/mirror.h"

static const char xml[] =
	"<LWM2M><Object "
	"ObjectType=\"MODefinition\"><Name>Pump</Name><ObjectID>33001</ObjectID><ObjectVersion>1.0</ObjectVersion>"
	"<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>"
	"<Item "
	"ID=\"1\"><Name>Speed</Name><Operations>R</Operations><MultipleInstances>Single</"
	"MultipleInstances><Mandatory>Optional</Mandatory>"
	"<Type>Integer</Type><RangeEnumeration/><Units>1/min</Units><Description/></Item>"
	"<Item "
	"ID=\"2\"><Name>Heat</Name><Operations>R</Operations><MultipleInstances>Single</"
	"MultipleInstances><Mandatory>Optional</Mandatory>"
	"<Type>Float</Type><RangeEnumeration/><Units/><Description/></Item>"
	"</Resources></Object></LWM2M>";
static const char xml_2[] =
	"<LWM2M><Object ObjectType=\"MODefinition\"><Name>Better "
	"Pump</Name><ObjectID>33001</ObjectID><ObjectVersion>2.0</ObjectVersion>"
	"<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>"
	"<Item "
	"ID=\"1\"><Name>Turns</Name><Operations>R</Operations><MultipleInstances>Single</"
	"MultipleInstances><Mandatory>Optional</Mandatory>"
	"<Type>Float</Type><RangeEnumeration/><Units>1/s</Units><Description/></Item></Resources></Object></LWM2M>";

struct world {
	struct metrics *metrics;
	struct mirror *m;
	struct lwm2m_registry *registry;
	struct lwm2m_objects *objects;
	char text[4096]; /* what was reported, a line each */
};

static void on_fault(void *arg, const char *file, unsigned line, const char *text)
{
	(void)arg;
	fail_msg("%s:%u: %s", file, line, text);
}

static void add(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct world *w, const char *fmt, ...)
{
	size_t at = strlen(w->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->text + at, sizeof w->text - at, fmt, ap);
	va_end(ap);
}

static void on_report(void *arg, const struct report *r)
{
	struct world *w = arg;

	if (r->kind == NIDDGW_RECORD_RAW) {
		add(w, "raw %s %s %s payload=%zu\n", r->kind_word, r->down ? "down" : "up", r->reason ? r->reason : "-",
		    r->payload ? r->payload_len : 0);
		return;
	}
	add(w, "%s %s", r->op, r->path);
	for (size_t i = 0; i < r->values_n; i++) {
		const struct niddgw_value *v = &r->values[i];

		add(w, " %s/%s", v->object ? v->object : "-", v->resource ? v->resource : "-");
		if (v->type == NIDDGW_INTEGER)
			add(w, "=%lld", (long long)v->integer);
		else if (v->type == NIDDGW_FLOAT)
			add(w, "=%.17g", v->number);
		if (v->unit)
			add(w, "[%s]", v->unit);
	}
	add(w, "\n");
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	const struct mirror_env env = { NULL, on_report, w };
	struct mirror_env with = env;

	clock_fake(CLOCK_BASE_MS, 1767225600000);
	metrics_new(&w->metrics);
	with.metrics = w->metrics;
	assert_int_equal(mirror_new(&w->m, &with), 0);
	assert_int_equal(lwm2m_registry_new(&w->registry), 0);
	assert_int_equal(lwm2m_registry_add_xml_text(w->registry, "1", xml, strlen(xml), on_fault, NULL), 0);
	assert_int_equal(lwm2m_registry_add_xml_text(w->registry, "2", xml_2, strlen(xml_2), on_fault, NULL), 0);
	mirror_set_registry(w->m, w->registry);
	mirror_listen(w->m, true);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	mirror_free(w->m);
	lwm2m_registry_free(w->registry);
	lwm2m_objects_free(w->objects);
	metrics_free(w->metrics);
	free(w);
	return 0;
}

/* ---- messages ---- */

struct unit {
	uint8_t octets[512];
	struct coap_msg m;
	struct mirror_unit u;
};

static void build(struct unit *b, uint8_t code, const char *path, int format, const void *body, size_t len)
{
	struct coap_builder c;
	char copy[64], *save = NULL;
	long n;

	snprintf(copy, sizeof copy, "%s", path);
	coap_build(&c, b->octets, sizeof b->octets, COAP_CON, code, 1, (const uint8_t *)"t", 1);
	for (char *p = strtok_r(copy, "/", &save); p; p = strtok_r(NULL, "/", &save))
		coap_build_option(&c, COAP_URI_PATH, p, strlen(p));
	if (format >= 0)
		coap_build_uint(&c, COAP_CONTENT_FORMAT, (uint32_t)format);
	coap_build_payload(&c, body, len);
	n = coap_build_end(&c);
	assert_true(n > 0);
	assert_int_equal(coap_parse(&b->m, b->octets, (size_t)n), 0);
	b->u = (struct mirror_unit){ &b->m, (size_t)n, 1767225600000 };
}

static void read_of(struct world *w, const char *path, int format, const void *body, size_t len)
{
	const struct mirror_who who = { .dev = w, .leg = w, .device = "d", .server = "s", .objects = w->objects };
	struct unit ask, answer;

	w->text[0] = 0;
	build(&ask, COAP_GET, path, -1, NULL, 0);
	build(&answer, COAP_CONTENT, "", format, body, len);
	mirror_answer(w->m, &who, &answer.u, &ask.u);
}

static void names_types_and_units_are_of_the_version_that_was_registered(void **state)
{
	static const char registered[] = "</33001>;ver=1.0,</33001/0>";
	struct world *w = *state;

	read_of(w, "/33001/0", 11542, "\xc1\x01\x05", 3);
	assert_string_equal(w->text, "raw unknown up type payload=3\n"); /* a float of one octet in the newest */
	assert_int_equal(lwm2m_objects_new(&w->objects, registered, strlen(registered)), 0);
	read_of(w, "/33001/0", 11542, "\xc1\x01\x05", 3);
	assert_string_equal(w->text, "read /33001/0 Pump/Speed=5[1/min]\n");
}

static void floats_of_32_bits_are_the_decimals_that_they_stand_for(void **state)
{
	static const struct {
		uint32_t bits;
		double value;
	} rows[] = { { 0x3dcccccd, 0.1 },
		     { 0x41ac0000, 21.5 },
		     { 0x41a8cccd, 21.1 },
		     { 0xc2c80000, -100 },
		     { 0x3727c5ac, 0.00001 },
		     { 0x49742400, 1000000 },
		     { 0x4b189680, 10000000 },
		     { 0x40490fdb, 3.1415927 },
		     { 0x7f7fffff, 3.4028234663852886e38 },
		     { 0x00000001, 1.401298464324817e-45 },
		     { 0x4f000000, 2147483648 } };
	static const char registered[] = "</33001>;ver=1.0";
	struct world *w = *state;

	assert_int_equal(lwm2m_objects_new(&w->objects, registered, strlen(registered)), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t body[6] = { 0xc4, 0x02 };
		char want[128];

		for (unsigned k = 0; k < 4; k++)
			body[2 + k] = (uint8_t)(rows[i].bits >> (24 - 8 * k));
		read_of(w, "/33001/0", 11542, body, sizeof body);
		snprintf(want, sizeof want, "read /33001/0 Pump/Heat=%.17g\n", rows[i].value);
		assert_string_equal(w->text, want);
	}
}

static void nothing_is_told_while_nobody_listens_or_of_what_is_no_report(void **state)
{
	struct world *w = *state;

	mirror_listen(w->m, false);
	read_of(w, "/3/0/9", 0, "95", 2);
	assert_string_equal(w->text, "");
	mirror_listen(w->m, true);
	read_of(w, "/3/0/9", 0, "95", 2);
	assert_string_equal(w->text, "read /3/0/9 -/-\n");
	read_of(w, "/0/0/5", 42, "key", 3);
	read_of(w, "/11/0/6", 0, "pass", 4);
	read_of(w, "/.well-known/core", 40, "</x>", 4);
	read_of(w, "/3/0", 40, "</3/0/0>", 8);
	assert_string_equal(w->text, "");
}

static void octets_are_shown_where_nothing_can_be_hidden_in_them(void **state)
{
	struct world *w = *state;

	read_of(w, "/33001/0", 112, "\x82", 1);
	assert_string_equal(w->text, "raw unknown up truncated payload=1\n");
	read_of(w, "/11/0", 112, "\x82", 1);
	assert_string_equal(w->text, "raw unknown up truncated payload=0\n");
	read_of(w, "/16", 112, "\x82", 1);
	assert_string_equal(w->text, "raw unknown up truncated payload=0\n");
}

static void take(void *arg, const struct report *r)
{
	on_report(arg, r);
}

static void what_the_gateway_asks_is_decoded_for_it_alone(void **state)
{
	struct world *w = *state;
	const struct mirror_who who = { .dev = w, .leg = w, .device = "d" };
	struct mirror_target t = { .path = { { 33001, 0, 1 }, 3 }, .known = true };
	const char *reason = NULL;

	mirror_listen(w->m, false); /* whoever listens */
	assert_int_equal(mirror_decode(w->m, &who, &t, 0, (const uint8_t *)"1.5", 3, 0, take, w, &reason), 0);
	assert_string_equal(w->text, "read /33001/0/1 Better Pump/Turns=1.5[1/s]\n");
	assert_int_equal(mirror_decode(w->m, &who, &t, 0, (const uint8_t *)"x", 1, 0, take, w, &reason), -EBADMSG);
	assert_non_null(reason);
	t.path = (struct lwm2m_path){ { 0, 0, 5 }, 3 };
	assert_int_equal(mirror_decode(w->m, &who, &t, 42, (const uint8_t *)"x", 1, 0, take, w, &reason), -EACCES);
}

static void the_unit_of_a_device_goes_with_it(void **state)
{
	static const char registered[] = "</3303/0>", senml[] = "[{\"n\":\"/3303/0/5700\",\"v\":21.5}]";
	struct world *w = *state;

	assert_int_equal(lwm2m_objects_new(&w->objects, registered, strlen(registered)), 0);
	read_of(w, "/3303/0/5701", 0, "Cel", 3);
	read_of(w, "/3303/0/5700", 110, senml, sizeof senml - 1);
	assert_non_null(strstr(w->text, "[Cel]"));
	mirror_forget(w->m, w);
	read_of(w, "/3303/0/5700", 110, senml, sizeof senml - 1);
	assert_null(strstr(w->text, "[Cel]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_types_and_units_are_of_the_version_that_was_registered, setup,
						teardown),
		cmocka_unit_test_setup_teardown(floats_of_32_bits_are_the_decimals_that_they_stand_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nothing_is_told_while_nobody_listens_or_of_what_is_no_report, setup,
						teardown),
		cmocka_unit_test_setup_teardown(octets_are_shown_where_nothing_can_be_hidden_in_them, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_gateway_asks_is_decoded_for_it_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(the_unit_of_a_device_goes_with_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
