/* SPDX-License-Identifier: Apache-2.0 */
/* test_registration.c - reading and editing registrations, src/lwm2m/registration.c and registration_edit.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lwm2m/registration.h"
#include "unit/coap/make.h"
#include "unit/coap/vectors.h"

#define Q(text) TEXT(15, text)

static const uint8_t location[] = "\002rd\0045a3f"; /* as in the vectors */
#define LOCATION location, sizeof location - 1

static void load(struct coap_msg *m, const char *vector)
{
	static struct octets kept;

	kept = octets_of_vector(vector);
	assert_int_equal(coap_parse(m, kept.data, kept.len), 0);
}

static bool is(const struct coap_text *t, const char *want)
{
	return want ? t->p && t->len == strlen(want) && !memcmp(t->p, want, t->len) : !t->p;
}

/* ---- operation ---- */

static void each_vector_is_the_operation_its_name_says(void **state)
{
	static const struct {
		const char *vector;
		enum lwm2m_op op;
	} rows[] = {
		{ "register CON POST /rd", LWM2M_REGISTER },
		{ "register routed by Uri-Host srv-a", LWM2M_REGISTER },
		{ "register ack 2.01 Location rd/5a3f", LWM2M_NONE },
		{ "update CON POST /rd/5a3f", LWM2M_UPDATE },
		{ "update with lifetime and binding", LWM2M_UPDATE },
		{ "de-register DELETE /rd/5a3f", LWM2M_DEREGISTER },
		{ "bootstrap request POST /bs?ep", LWM2M_BOOTSTRAP },
		{ "bootstrap pack GET /bspack?ep", LWM2M_BOOTSTRAP_PACK },
		{ "send CON POST /dp CF112", LWM2M_SEND },
		{ "read CON GET /3/0 Accept 112", LWM2M_NONE },
		{ "execute CON POST /1/0/8", LWM2M_NONE },
		{ "composite read FETCH / CF112", LWM2M_NONE },
		{ "notify NON 2.05 obs 7 SenML", LWM2M_NONE },
		{ "OSCORE request, kid meter", LWM2M_NONE },
		{ "ping CON empty", LWM2M_NONE },
	};
	struct coap_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		load(&m, rows[i].vector);
		if (lwm2m_operation(&m, LOCATION) != rows[i].op)
			fail_msg("%s", rows[i].vector);
	}
}

static enum lwm2m_op operation(uint8_t code, const struct opt *opts, size_t n, const uint8_t *at, size_t at_len)
{
	struct made in;

	make(&in, code, opts, n);
	return lwm2m_operation(&in.m, at, at_len);
}

static void an_update_is_a_post_to_exactly_the_location(void **state)
{
	(void)state;
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "rd"), TEXT(11, "5a3f")), NULL, 0), LWM2M_NONE);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "rd"), TEXT(11, "5a3")), LOCATION), LWM2M_NONE);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "rd"), TEXT(11, "5a3f"), TEXT(11, "")), LOCATION),
			 LWM2M_NONE);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "rd"), TEXT(11, "5a3g")), LOCATION), LWM2M_NONE);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "rd5a3f")), LOCATION), LWM2M_NONE);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "rd")), LOCATION), LWM2M_REGISTER);
	assert_int_equal(operation(COAP_PUT, OPTIONS(TEXT(11, "rd"), TEXT(11, "5a3f")), LOCATION), LWM2M_NONE);
	assert_int_equal(operation(COAP_DELETE, OPTIONS(TEXT(11, "rd")), LOCATION), LWM2M_NONE);
	assert_int_equal(operation(COAP_DELETE, OPTIONS(TEXT(3, "srv"), TEXT(11, "rd"), TEXT(11, "5a3f")), LOCATION),
			 LWM2M_DEREGISTER);
	assert_int_equal(operation(COAP_DELETE, OPTIONS(TEXT(3, "srv")), NULL, 0), LWM2M_NONE);
}

static void a_location_may_end_in_rd_and_have_empty_segments(void **state)
{
	static const uint8_t odd[] = "\001a\000\002rd";

	(void)state;
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "a"), TEXT(11, ""), TEXT(11, "rd")), odd, 6),
			 LWM2M_UPDATE);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "a"), TEXT(11, "rd")), odd, 6), LWM2M_REGISTER);
}

static void a_prefix_before_rd_is_a_register_too(void **state)
{
	(void)state;
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "srv-a"), TEXT(11, "rd")), NULL, 0), LWM2M_REGISTER);
	assert_int_equal(
		operation(COAP_POST, OPTIONS(TEXT(11, "x"), TEXT(11, "y"), TEXT(11, "rd"), Q("lt=1")), NULL, 0),
		LWM2M_REGISTER);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "rd"), TEXT(11, "x")), NULL, 0), LWM2M_NONE);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(11, "RD")), NULL, 0), LWM2M_NONE);
	assert_int_equal(operation(COAP_GET, OPTIONS(TEXT(11, "rd")), NULL, 0), LWM2M_NONE);
	assert_int_equal(operation(COAP_POST, OPTIONS(TEXT(12, "(")), NULL, 0), LWM2M_NONE);
}

static void a_path_outside_an_oscore_message_means_nothing(void **state)
{
	struct lwm2m_edits e = { .insert_ep = "meter", .binding = "U" };
	struct lwm2m_queries q;
	struct made in;

	(void)state;
	make(&in, COAP_POST, OPTIONS(TEXT(9, "\x09\0k"), TEXT(11, "rd")));
	assert_int_equal(lwm2m_operation(&in.m, NULL, 0), LWM2M_NONE);
	assert_int_equal(lwm2m_edit(&q, &in.m, LWM2M_REGISTER, LWM2M_V_1_1, &e), 0);
}

/* ---- location ---- */

static void the_location_of_a_registration_recognises_its_update(void **state)
{
	uint8_t buf[32];
	struct coap_msg m;
	long len;

	(void)state;
	load(&m, "register ack 2.01 Location rd/5a3f");
	len = lwm2m_location_of(buf, sizeof buf, &m);
	assert_int_equal(len, sizeof location - 1);
	assert_memory_equal(buf, location, (size_t)len);
	load(&m, "update CON POST /rd/5a3f");
	assert_int_equal(lwm2m_operation(&m, buf, (size_t)len), LWM2M_UPDATE);
	assert_int_equal(lwm2m_location_of(buf, sizeof buf, &m), -ENOENT);
}

static void a_location_that_does_not_fit_is_told(void **state)
{
	static char segment[300];
	const struct opt longest[] = { { 8, segment, 255 } }, longer[] = { { 8, segment, 256 } };
	uint8_t buf[512];
	struct made in;

	(void)state;
	make(&in, COAP_CREATED, OPTIONS(TEXT(8, "rd"), TEXT(8, ""), TEXT(8, "abc")));
	assert_int_equal(lwm2m_location_of(buf, 7, &in.m), -EMSGSIZE);
	assert_int_equal(lwm2m_location_of(buf, 8, &in.m), 8);
	assert_memory_equal(buf, "\2rd\0\3abc", 8);
	make(&in, COAP_CREATED, longest, 1);
	assert_int_equal(lwm2m_location_of(buf, sizeof buf, &in.m), 256);
	make(&in, COAP_CREATED, longer, 1);
	assert_int_equal(lwm2m_location_of(buf, sizeof buf, &in.m), -EMSGSIZE);
}

/* ---- parameters ---- */

static void read_params(struct lwm2m_params *p, const struct opt *opts, size_t n)
{
	static struct made in;

	make(&in, COAP_POST, opts, n);
	lwm2m_read_params(p, &in.m);
}

static void parameters_of_a_register_are_read(void **state)
{
	struct lwm2m_params p;
	struct coap_msg m;

	(void)state;
	load(&m, "register CON POST /rd"); /* lwm2m=1.1 ep=meter-17 b=N Q lt=86400 */
	lwm2m_read_params(&p, &m);
	assert_true(is(&p.ep, "meter-17"));
	assert_true(is(&p.b, "N"));
	assert_true(is(&p.lwm2m, "1.1"));
	assert_true(is(&p.sms, NULL));
	assert_true(p.queue);
	assert_int_equal(p.version, LWM2M_V_1_1);
	assert_true(p.has_lifetime && !p.bad_lifetime);
	assert_int_equal(p.lifetime_s, 86400);
	assert_int_equal(p.eps, 1);
}

static void a_message_without_parameters_has_none(void **state)
{
	struct lwm2m_params p;
	struct coap_msg m;

	(void)state;
	load(&m, "update CON POST /rd/5a3f");
	lwm2m_read_params(&p, &m);
	assert_true(is(&p.ep, NULL) && is(&p.b, NULL) && is(&p.sms, NULL) && is(&p.lwm2m, NULL));
	assert_false(p.has_lifetime || p.bad_lifetime || p.queue);
	assert_int_equal(p.version, LWM2M_V_UNKNOWN);
	assert_int_equal(p.eps, 0);
}

static void a_lifetime_is_a_plain_number(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} rows[] = {
		{ "lt=0", true, 0 },
		{ "lt=60", true, 60 },
		{ "lt=00060", true, 60 },
		{ "lt=18446744073709551615", true, UINT64_MAX },
		{ "lt=18446744073709551616", false, 0 },
		{ "lt=99999999999999999999999", false, 0 },
		{ "lt=", false, 0 },
		{ "lt", false, 0 },
		{ "lt=-1", false, 0 },
		{ "lt=+1", false, 0 },
		{ "lt= 1", false, 0 },
		{ "lt=1 ", false, 0 },
		{ "lt=0x10", false, 0 },
		{ "lt=1.5", false, 0 },
	};
	struct lwm2m_params p;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct opt o = { 15, rows[i].text, strlen(rows[i].text) };

		read_params(&p, &o, 1);
		if (p.has_lifetime != rows[i].good || p.bad_lifetime == rows[i].good || p.lifetime_s != rows[i].value)
			fail_msg("%s", rows[i].text);
	}
}

static void versions_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum lwm2m_version version;
	} rows[] = {
		{ "lwm2m=1.0", LWM2M_V_1_0 },       { "lwm2m=1.1", LWM2M_V_1_1 },    { "lwm2m=1.2", LWM2M_V_1_2 },
		{ "lwm2m=1.3", LWM2M_V_1_2 },       { "lwm2m=1.10", LWM2M_V_1_2 },   { "lwm2m=2.0", LWM2M_V_UNKNOWN },
		{ "lwm2m=1.1.1", LWM2M_V_UNKNOWN }, { "lwm2m=1.", LWM2M_V_UNKNOWN }, { "lwm2m=1", LWM2M_V_UNKNOWN },
		{ "lwm2m=", LWM2M_V_UNKNOWN },      { "lwm2m", LWM2M_V_UNKNOWN },    { "lwm2m=1.01", LWM2M_V_UNKNOWN },
		{ "lwm2m=1.x", LWM2M_V_UNKNOWN },
	};
	struct lwm2m_params p;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct opt o = { 15, rows[i].text, strlen(rows[i].text) };

		read_params(&p, &o, 1);
		if (p.version != rows[i].version)
			fail_msg("%s", rows[i].text);
	}
}

static void queue_mode_is_a_flag_or_a_letter_by_version(void **state)
{
	struct lwm2m_params p;

	(void)state;
	read_params(&p, OPTIONS(Q("lwm2m=1.1"), Q("b=U"), Q("Q")));
	assert_true(p.queue);
	read_params(&p, OPTIONS(Q("Q="), Q("lwm2m=1.2")));
	assert_true(p.queue);
	read_params(&p, OPTIONS(Q("lwm2m=1.0"), Q("b=UQ")));
	assert_true(p.queue);
	read_params(&p, OPTIONS(Q("b=UQS"), Q("lwm2m=1.0")));
	assert_true(p.queue);
	read_params(&p, OPTIONS(Q("lwm2m=1.1"), Q("b=UQ")));
	assert_false(p.queue);
	read_params(&p, OPTIONS(Q("b=UQ"), Q("lt=60"))); /* an Update names no version */
	assert_true(p.queue);
	read_params(&p, OPTIONS(Q("Quux=1"), Q("q"), Q("lwm2m=1.0"), Q("b=U")));
	assert_false(p.queue);
}

static void repeated_names_are_counted_and_the_first_of_each_counts(void **state)
{
	struct lwm2m_params p;

	(void)state;
	read_params(&p,
		    OPTIONS(Q("ep=a"), Q("ep=b"), Q("lt=1"), Q("lt=2"), Q("b=U"), Q("b=N"), Q("sms=+1"), Q("sms=+2")));
	assert_int_equal(p.eps, 2);
	assert_true(is(&p.ep, "a") && is(&p.b, "U") && is(&p.sms, "+1"));
	assert_int_equal(p.lifetime_s, 1);
}

static void a_name_without_a_value_is_there_and_empty(void **state)
{
	struct lwm2m_params p;

	(void)state;
	read_params(&p, OPTIONS(Q("ep"), Q("ep="), Q("epx=1"), Q("=ep"), Q(""), Q("e=p=q")));
	assert_int_equal(p.eps, 2);
	assert_true(is(&p.ep, ""));
	read_params(&p, OPTIONS(Q("ep=a=b")));
	assert_true(is(&p.ep, "a=b"));
}

/* ---- edits ---- */

static struct lwm2m_queries edited;

/* The edited queries joined by '&', or "" when nothing is to be changed. */
static const char *edit(const struct lwm2m_edits *e, enum lwm2m_op op, enum lwm2m_version version,
			const struct opt *opts, size_t n)
{
	static struct made in;
	static char joined[2048];
	size_t len = 0;
	int r;

	make(&in, COAP_POST, opts, n);
	r = lwm2m_edit(&edited, &in.m, op, version, e);
	if (r < 0)
		return "too long";
	for (size_t i = 0; r && i < edited.n; i++) {
		if (i)
			joined[len++] = '&';
		memcpy(joined + len, edited.v[i].p, edited.v[i].len);
		len += edited.v[i].len;
	}
	joined[len] = '\0';
	return joined;
}

#define REGISTER(version, ...) LWM2M_REGISTER, version, OPTIONS(TEXT(11, "rd"), __VA_ARGS__)
#define UPDATE(version, ...) LWM2M_UPDATE, version, OPTIONS(TEXT(11, "rd"), TEXT(11, "1"), __VA_ARGS__)
#define V10 LWM2M_V_1_0
#define V11 LWM2M_V_1_1
#define V12 LWM2M_V_1_2

static void without_edits_nothing_is_changed(void **state)
{
	const struct lwm2m_edits none = { 0 };

	(void)state;
	assert_string_equal(edit(&none, REGISTER(V11, Q("lwm2m=1.1"), Q("b=UQ"), Q("sms=+1"))), "");
	assert_string_equal(edit(&none, REGISTER(V10, Q("b=NQ"), Q("Q"))), "");
	assert_string_equal(edit(&none, UPDATE(V11, Q("b=N"))), "");
}

static void an_absent_ep_is_put_behind_the_last_query_of_a_register(void **state)
{
	const struct lwm2m_edits e = { .insert_ep = "urn:imei:490154203237518" };

	(void)state;
	assert_string_equal(edit(&e, REGISTER(V11, Q("lwm2m=1.1"), Q("lt=60"))),
			    "lwm2m=1.1&lt=60&ep=urn:imei:490154203237518");
	assert_string_equal(edit(&e, REGISTER(V11, TEXT(12, "("))), "ep=urn:imei:490154203237518");
	assert_string_equal(edit(&e, REGISTER(V11, Q("ep=other"), Q("lt=60"))), "");
	assert_string_equal(edit(&e, REGISTER(V11, Q("ep="), Q("lt=60"))), "");
	assert_string_equal(edit(&e, UPDATE(V11, Q("lt=60"))), "");
}

static void binding_is_rewritten_in_place(void **state)
{
	const struct lwm2m_edits e = { .binding = "U" }, tcp = { .binding = "UT" };

	(void)state;
	assert_string_equal(edit(&e, REGISTER(V11, Q("lwm2m=1.1"), Q("b=N"), Q("lt=60"))), "lwm2m=1.1&b=U&lt=60");
	assert_string_equal(edit(&e, REGISTER(V11, Q("b=U"), Q("lt=60"))), "");
	assert_string_equal(edit(&e, REGISTER(V11, Q("lt=60"))), ""); /* absent means U */
	assert_string_equal(edit(&tcp, REGISTER(V11, Q("lt=60"))), "lt=60&b=UT");
	assert_string_equal(edit(&tcp, REGISTER(V12, Q("b=N"), Q("lt=60"))), "b=UT&lt=60");
	assert_string_equal(edit(&e, REGISTER(V11, Q("b"), Q("lt=60"))), "b=U&lt=60");
	assert_string_equal(edit(&e, UPDATE(V11, Q("b=N"))), "b=U");
	assert_string_equal(edit(&e, UPDATE(V11, Q("lt=60"))), ""); /* on Update only where it is */
}

static void queue_mode_is_kept_when_binding_is_rewritten(void **state)
{
	const struct lwm2m_edits e = { .binding = "U" }, s = { .binding = "US" };

	(void)state;
	assert_string_equal(edit(&e, REGISTER(V11, Q("b=N"), Q("Q"), Q("lt=1"))), "b=U&Q&lt=1");
	assert_string_equal(edit(&e, REGISTER(V11, Q("Q="), Q("b=N"))), "Q=&b=U");
	assert_string_equal(edit(&e, REGISTER(V10, Q("b=SQ"))), "b=UQ");
	assert_string_equal(edit(&s, REGISTER(V10, Q("b=SQ"))), "b=UQS");
	assert_string_equal(edit(&e, REGISTER(V10, Q("b=UQ"))), "");
	assert_string_equal(edit(&e, UPDATE(V10, Q("b=NQ"))), "b=UQ");
	assert_string_equal(edit(&e, UPDATE(V11, Q("Q"), Q("b=N"))), "Q&b=U");
}

static void the_grammar_of_the_version_is_written(void **state)
{
	const struct lwm2m_edits e = { .binding = "U" }, add = { .queue_flag = LWM2M_ADD };

	(void)state;
	/* a letter Q is wrong from 1.1 on and the parameter Q is unknown to 1.0 */
	assert_string_equal(edit(&e, REGISTER(V11, Q("b=UQ"), Q("lt=1"))), "b=U&Q&lt=1");
	assert_string_equal(edit(&e, REGISTER(V12, Q("b=NQ"))), "b=U&Q");
	assert_string_equal(edit(&e, REGISTER(V10, Q("b=N"), Q("Q"))), "b=UQ");
	assert_string_equal(edit(&add, REGISTER(V11, Q("b=UQ"))), "b=U&Q");
	assert_string_equal(edit(&add, REGISTER(V10, Q("Q"), Q("lt=1"))), "lt=1&b=UQ");
}

static void letters_that_the_version_does_not_know_are_not_written(void **state)
{
	const struct lwm2m_edits t = { .binding = "T" }, all = { .binding = "NTSUMH" };

	(void)state;
	assert_string_equal(edit(&t, REGISTER(V11, Q("b=N"))), "b=T");
	assert_string_equal(edit(&t, REGISTER(V11, Q("b=NQ"))), "b=T&Q");
	assert_string_equal(edit(&t, REGISTER(V10, Q("b=N"))), "b=U");
	assert_string_equal(edit(&t, REGISTER(V10, Q("b=UQ"))), "");
	assert_string_equal(edit(&all, REGISTER(V10, Q("b=UQ"))), "b=UQS");
	assert_string_equal(edit(&all, REGISTER(V11, Q("b=N"))), "b=NTSU");
	assert_string_equal(edit(&all, REGISTER(V12, Q("b=N"))), "b=NTSUMH");
}

static void queue_mode_is_added(void **state)
{
	const struct lwm2m_edits add = { .queue_flag = LWM2M_ADD }, both = { .queue_flag = LWM2M_ADD, .binding = "U" };

	(void)state;
	assert_string_equal(edit(&add, REGISTER(V11, Q("b=U"), Q("lt=1"))), "b=U&Q&lt=1");
	assert_string_equal(edit(&add, REGISTER(V11, Q("lt=1"))), "lt=1&Q");
	assert_string_equal(edit(&add, REGISTER(V11, Q("Q"), Q("lt=1"))), "");
	assert_string_equal(edit(&add, REGISTER(V10, Q("b=U"))), "b=UQ");
	assert_string_equal(edit(&add, REGISTER(V10, Q("b=US"))), "b=UQS");
	assert_string_equal(edit(&add, REGISTER(V10, Q("lt=1"))), "lt=1&b=UQ");
	assert_string_equal(edit(&add, REGISTER(V10, Q("b=UQS"))), "");
	assert_string_equal(edit(&add, REGISTER(V10, Q("b="))), "b=UQ"); /* no letter is U */
	assert_string_equal(edit(&add, REGISTER(V11, Q("b=Q"))), "b=U&Q");
	assert_string_equal(edit(&both, REGISTER(V11, Q("b=N"))), "b=U&Q");
	assert_string_equal(edit(&both, REGISTER(V10, Q("b=N"))), "b=UQ");
	assert_string_equal(edit(&add, UPDATE(V11, Q("lt=1"))), "");
	assert_string_equal(edit(&add, UPDATE(V11, Q("Q"))), "");
	assert_string_equal(edit(&add, UPDATE(V11, Q("b=U"))), "b=U&Q");
	assert_string_equal(edit(&add, UPDATE(V10, Q("b=U"))), "b=UQ");
	assert_string_equal(edit(&both, UPDATE(V10, Q("lt=1"))), "");
}

static void queue_mode_is_removed(void **state)
{
	const struct lwm2m_edits remove = { .queue_flag = LWM2M_REMOVE };

	(void)state;
	assert_string_equal(edit(&remove, REGISTER(V11, Q("b=U"), Q("Q"), Q("lt=1"))), "b=U&lt=1");
	assert_string_equal(edit(&remove, REGISTER(V10, Q("b=UQS"), Q("lt=1"))), "b=US&lt=1");
	assert_string_equal(edit(&remove, REGISTER(V11, Q("b=U"), Q("lt=1"))), "");
	assert_string_equal(edit(&remove, UPDATE(V11, Q("Q="), Q("lt=1"))), "lt=1");
	assert_string_equal(edit(&remove, UPDATE(V10, Q("b=UQ"))), "b=U");
	assert_int_equal(lwm2m_edit(&edited,
				    &(struct coap_msg){ .code = COAP_POST,
							.options = (const uint8_t *)"\xd1\2Q",
							.options_len = 3 },
				    LWM2M_UPDATE, V11, &remove),
			 1);
	assert_int_equal(edited.n, 0); /* the only query is gone */
}

static void the_sms_number_is_removed(void **state)
{
	const struct lwm2m_edits e = { .remove_sms = true };

	(void)state;
	assert_string_equal(edit(&e, REGISTER(V11, Q("lt=1"), Q("sms=+491701"), Q("b=U"))), "lt=1&b=U");
	assert_string_equal(edit(&e, UPDATE(V11, Q("sms=491701"), Q("lt=1"))), "lt=1");
	assert_string_equal(edit(&e, REGISTER(V11, Q("lt=1"), Q("smsx=1"))), "");
}

static void all_edits_together_keep_the_order_of_the_rest(void **state)
{
	const struct lwm2m_edits e = { .insert_ep = "m7", .binding = "U", .queue_flag = LWM2M_ADD, .remove_sms = true };

	(void)state;
	assert_string_equal(edit(&e, REGISTER(V11, Q("d=x"), Q("sms=1"), Q("b=N"), Q("lwm2m=1.1"), Q("lt=9"))),
			    "d=x&b=U&Q&lwm2m=1.1&lt=9&ep=m7");
	assert_string_equal(edit(&e, REGISTER(V10, Q("d=x"), Q("sms=1"), Q("lwm2m=1.0"), Q("lt=9"))),
			    "d=x&lwm2m=1.0&lt=9&b=UQ&ep=m7");
}

static void only_register_and_update_are_edited(void **state)
{
	const struct lwm2m_edits e = { .insert_ep = "m7", .binding = "U", .queue_flag = LWM2M_ADD, .remove_sms = true };

	(void)state;
	for (enum lwm2m_op op = LWM2M_NONE; op <= LWM2M_SEND; op++)
		if (op != LWM2M_REGISTER && op != LWM2M_UPDATE)
			assert_string_equal(edit(&e, op, V11, OPTIONS(TEXT(11, "bs"), Q("b=N"), Q("sms=1"))), "");
}

static void s4_an_edit_that_fits_no_option_or_list_is_told(void **state)
{
	static char ep[300];
	struct lwm2m_edits e = { .insert_ep = ep };
	struct opt many[40];

	(void)state;
	memset(ep, 'e', 252);
	assert_int_equal(strlen(edit(&e, REGISTER(V11, Q("lt=1")))), 5 + 255);
	ep[252] = 'e';
	assert_string_equal(edit(&e, REGISTER(V11, Q("lt=1"))), "too long");
	ep[1] = '\0';
	for (size_t i = 0; i < 40; i++)
		many[i] = (struct opt)Q("a=1");
	assert_string_not_equal(edit(&e, LWM2M_REGISTER, V11, many, LWM2M_QUERIES_MAX - 1), "too long");
	assert_string_equal(edit(&e, LWM2M_REGISTER, V11, many, LWM2M_QUERIES_MAX), "too long");
	assert_string_equal(edit(&(struct lwm2m_edits){ 0 }, LWM2M_REGISTER, V11, many, 40),
			    ""); /* nothing to edit: it passes */
}

static void an_edited_register_is_built_and_read_again(void **state)
{
	const struct lwm2m_edits e = { .binding = "U", .queue_flag = LWM2M_REMOVE, .insert_ep = "unused" };
	struct coap_crossing c = { .request = true, .to_server = true };
	struct lwm2m_params p;
	struct coap_builder b;
	struct coap_msg m, sent;
	uint8_t out[256];

	(void)state;
	load(&m, "register CON POST /rd");
	assert_int_equal(lwm2m_edit(&edited, &m, LWM2M_REGISTER, V11, &e), 1);
	c.queries = edited.v;
	c.queries_n = edited.n;
	coap_build(&b, out, sizeof out, COAP_CON, m.code, 9, NULL, 0);
	coap_forward_options(&b, &m, &c);
	coap_build_payload(&b, m.payload, m.payload_len);
	assert_int_equal(coap_parse(&sent, out, (size_t)coap_build_end(&b)), 0);
	lwm2m_read_params(&p, &sent);
	assert_true(is(&p.ep, "meter-17") && is(&p.b, "U") && is(&p.lwm2m, "1.1"));
	assert_false(p.queue);
	assert_int_equal(p.lifetime_s, 86400);
	assert_int_equal(lwm2m_operation(&sent, NULL, 0), LWM2M_REGISTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_vector_is_the_operation_its_name_says),
		cmocka_unit_test(an_update_is_a_post_to_exactly_the_location),
		cmocka_unit_test(a_location_may_end_in_rd_and_have_empty_segments),
		cmocka_unit_test(a_prefix_before_rd_is_a_register_too),
		cmocka_unit_test(a_path_outside_an_oscore_message_means_nothing),
		cmocka_unit_test(the_location_of_a_registration_recognises_its_update),
		cmocka_unit_test(a_location_that_does_not_fit_is_told),
		cmocka_unit_test(parameters_of_a_register_are_read),
		cmocka_unit_test(a_message_without_parameters_has_none),
		cmocka_unit_test(a_lifetime_is_a_plain_number),
		cmocka_unit_test(versions_are_told_apart),
		cmocka_unit_test(queue_mode_is_a_flag_or_a_letter_by_version),
		cmocka_unit_test(repeated_names_are_counted_and_the_first_of_each_counts),
		cmocka_unit_test(a_name_without_a_value_is_there_and_empty),
		cmocka_unit_test(without_edits_nothing_is_changed),
		cmocka_unit_test(an_absent_ep_is_put_behind_the_last_query_of_a_register),
		cmocka_unit_test(binding_is_rewritten_in_place),
		cmocka_unit_test(queue_mode_is_kept_when_binding_is_rewritten),
		cmocka_unit_test(letters_that_the_version_does_not_know_are_not_written),
		cmocka_unit_test(the_grammar_of_the_version_is_written),
		cmocka_unit_test(queue_mode_is_added),
		cmocka_unit_test(queue_mode_is_removed),
		cmocka_unit_test(the_sms_number_is_removed),
		cmocka_unit_test(all_edits_together_keep_the_order_of_the_rest),
		cmocka_unit_test(only_register_and_update_are_edited),
		cmocka_unit_test(s4_an_edit_that_fits_no_option_or_list_is_told),
		cmocka_unit_test(an_edited_register_is_built_and_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
