/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_registration.c - reading and editing of registrations
 *
 * The first octet says which edits a server entry asks for, the second the version; the rest is a datagram. An edited
 * message has to parse, to say what the edits ask for, and to need no further edit.
 */
#include <errno.h>
#include <stdlib.h>

#include "lwm2m/registration.h"

#define ROOM 70000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct lwm2m_edits edits_of(uint8_t bits)
{
	return (struct lwm2m_edits){
		.insert_ep = bits & 1 ? "urn:imei:490154203237518" : NULL,
		.binding = bits & 2 ? (bits & 4 ? "UT" : "U") : NULL,
		.queue_flag = (enum lwm2m_flag_edit)((bits >> 3 & 3) % 3),
		.remove_sms = bits & 32,
	};
}

static bool has_param(const struct lwm2m_queries *q, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < q->n; i++)
		if (q->v[i].len >= len && !memcmp(q->v[i].p, key, len) && (q->v[i].len == len || q->v[i].p[len] == '='))
			return true;
	return false;
}

static void edit(const struct coap_msg *m, enum lwm2m_op op, enum lwm2m_version version, const struct lwm2m_edits *e)
{
	static uint8_t out[ROOM];
	struct coap_crossing c = { .request = true, .to_server = true };
	struct lwm2m_queries q, again;
	struct coap_builder b;
	struct coap_msg sent;
	int r = lwm2m_edit(&q, m, op, version, e);

	must(r == 0 || r == 1 || r == -EMSGSIZE);
	if (r != 1)
		return;
	must(!(e->remove_sms && has_param(&q, "sms")));
	must(!(e->queue_flag == LWM2M_REMOVE && has_param(&q, "Q")));
	must(!(e->insert_ep && op == LWM2M_REGISTER && !has_param(&q, "ep")));
	c.queries = q.v;
	c.queries_n = q.n;
	coap_build(&b, out, sizeof out, COAP_CON, m->code, m->mid, m->token, m->token_len);
	coap_forward_options(&b, m, &c);
	coap_build_payload(&b, m->payload, m->payload_len);
	if (coap_build_end(&b) < 0)
		return; /* a query of the message itself is longer than one can be: refused before it comes here */
	must(coap_parse(&sent, out, (size_t)coap_build_end(&b)) == 0);
	must(lwm2m_edit(&again, &sent, op, version, e) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t at[] = "\002rd\0045a3f";
	struct lwm2m_params params;
	struct lwm2m_edits edits;
	enum lwm2m_version version;
	uint8_t location[64];
	struct coap_msg m;

	if (size < 2 || size > UINT16_MAX || coap_parse(&m, data + 2, size - 2))
		return 0;
	lwm2m_operation(&m, at, sizeof at - 1);
	lwm2m_location_of(location, sizeof location, &m);
	lwm2m_read_params(&params, &m);
	must(!(params.has_lifetime && params.bad_lifetime) && (params.ep.p != NULL) == (params.eps > 0));
	edits = edits_of(data[0]);
	version = (enum lwm2m_version)(data[1] & 3);
	if (!coap_is_request(m.code))
		return 0;
	edit(&m, LWM2M_REGISTER, version, &edits);
	edit(&m, LWM2M_UPDATE, version, &edits);
	return 0;
}
