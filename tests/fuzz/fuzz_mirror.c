/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mirror.c - a session shows its mirror whatever a device and a server can send, in any order (F9)
 *
 * An input is a run of steps: what is shown, the length of its octets, the octets. Whatever comes, each report is sound
 * JSON, tells of no secret, and is told to somebody.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/octets.h"
#include "lwm2m/decode.h"
#include "lwm2m/registry.h"
#include "mirror/json.h"
#include "mirror/mirror.h"
#include "unit/lwm2m/reported.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
	REGISTER,
	UPDATE,
	SEND,
	ASK,
	ANSWER,
	NOTIFY,
	OSCORE,
	DTLS,
	UNKNOWN,
	FORGET,
	FORGET_LEG,
	OBJECTS,
	DECODE,
	PASS,
	STEP_COUNT
};
enum { STEPS_MOST = 64 };

struct world {
	struct mirror *m;
	struct lwm2m_objects *objects;
	struct coap_msg ask; /* what answers answer; its octets are the input's */
	size_t ask_len;
	struct mirror_target target;
	int confirmed;
	bool down;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_be_json(const struct report *r, unsigned flags)
{
	static char buf[1 << 20];
	long len = json_report(r, flags, buf, sizeof buf);
	json_t *o;

	must(len > 0);
	if ((size_t)len >= sizeof buf)
		return;
	o = json_loadb(buf, (size_t)len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
	must(o != NULL);
	json_decref(o);
}

static void on_taken(void *arg, const struct report *r)
{
	must(arg && r->device && r->values_n <= REPORT_VALUES_MAX);
	for (size_t i = 0; i < r->values_n; i++) {
		const struct niddgw_value *v = &r->values[i];
		struct lwm2m_path p = { .depth = v->path_len };

		memcpy(p.id, v->path, sizeof p.id);
		must(v->path_len >= 1 && v->path_len <= 4 && !lwm2m_path_is_secret(&p, NULL));
	}
	for (size_t i = 0; i < r->links_n; i++)
		must(r->links[i].path[0] == '/');
	must_be_json(r, 0);
	must_be_json(r, r->kind == NIDDGW_RECORD_RAW ? NIDDGW_JSON_RAW_PAYLOAD : NIDDGW_JSON_SENML);
}

static void on_report(void *arg, const struct report *r)
{
	must(strlen(r->id) == 26);
	on_taken(arg, r);
}

static void show(struct world *w, enum step what, const struct mirror_who *who, const struct coap_msg *msg, size_t len)
{
	const struct mirror_unit u = { msg, len, 1767225600000 }, ask = { &w->ask, w->ask_len, 0 };
	size_t body_len;

	if (what == ASK) {
		w->ask = *msg;
		w->ask_len = len;
		w->target = mirror_target_of(msg, w->objects);
	} else if (what == ANSWER && w->ask_len) {
		mirror_answer(w->m, who, &u, &ask);
	} else if (what == NOTIFY) {
		mirror_notify(w->m, who, &w->target, &u, w->confirmed);
	} else if (what == OSCORE) {
		mirror_oscore(w->m, who, w->down, &u);
	} else if (what <= SEND) {
		static const enum lwm2m_op ops[] = { LWM2M_REGISTER, LWM2M_UPDATE, LWM2M_SEND };

		mirror_request(w->m, who, ops[what], &u, w->confirmed);
		(void)mirror_body(w->m, who, ops[what], &body_len);
	}
}

static void step(struct world *w, enum step what, const uint8_t *data, size_t len)
{
	const struct mirror_who who = { .dev = w, .leg = w, .device = "d", .server = "s", .objects = w->objects };
	const char *reason;
	struct coap_msg msg;

	if (what == DTLS)
		mirror_dtls(w->m, &who, w->down, data, len, 1);
	else if (what == FORGET)
		mirror_forget(w->m, w);
	else if (what == FORGET_LEG)
		mirror_forget_leg(w->m, w);
	else if (what == PASS)
		clock_fake(clock_now_ms() + len * 1000, 1767225600000);
	else if (what == OBJECTS) {
		lwm2m_objects_free(w->objects);
		w->objects = NULL;
		(void)lwm2m_objects_new(&w->objects, (const char *)data, len);
	} else if (what == DECODE && len > 1)
		(void)mirror_decode(w->m, &who, &w->target, data[0] * 256u + data[1], data + 2, len - 2, 1, on_taken, w,
				    &reason);
	else if (what == UNKNOWN || coap_parse(&msg, data, len))
		mirror_unknown(w->m, &who, data, len, 1);
	else
		show(w, what, &who, &msg, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lwm2m_registry *registry;
	struct reader r = reader_of(data, size);
	struct world w = { .confirmed = -1 };
	struct mirror_env env = { .report = on_report, .arg = &w };

	if (!registry)
		registry = test_registry();
	clock_fake(CLOCK_BASE_MS, 1767225600000);
	if (metrics_new(&env.metrics) || mirror_new(&w.m, &env))
		abort();
	mirror_set_registry(w.m, registry);
	mirror_listen(w.m, true);
	for (unsigned i = 0; i < STEPS_MOST && reader_left(&r); i++) {
		uint8_t what = read_u8(&r);
		size_t len = read_u16(&r);
		const uint8_t *p = read_span(&r, len);

		if (r.failed)
			break;
		w.confirmed = what / STEP_COUNT % 3 - 1;
		w.down = what & 0x80;
		step(&w, what % STEP_COUNT, p, len);
	}
	mirror_free(w.m);
	metrics_free(env.metrics);
	lwm2m_objects_free(w.objects);
	return 0;
}
