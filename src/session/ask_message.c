/* SPDX-License-Identifier: Apache-2.0 */
/* ask_message.c - the message of a request of the gateway, and its token */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "lwm2m/decode.h"
#include "session/own.h"

/* ---- token ---- */

void ask_new_token(struct ask *a)
{
	random_bytes(a->token, COAP_TOKEN_MAX);
	a->token_len = COAP_TOKEN_MAX;
}

static const struct relation *observation_of(const struct assoc *assoc, const struct lwm2m_path *p)
{
	const struct relation *r = assoc->relations;

	while (r &&
	       (!r->target.known || r->target.composite || r->target.path.depth != p->depth ||
		memcmp(r->target.path.id, p->id, sizeof p->id) != 0))
		r = r->next;
	return r;
}

bool ask_choose_token(struct ask *a)
{
	const struct relation *r = NULL;

	if (a->verb == ASK_OBSERVE || a->verb == ASK_CANCEL)
		r = observation_of(a->assoc, &a->target.path);
	if (!r) {
		ask_new_token(a);
		return a->verb != ASK_CANCEL;
	}
	memcpy(a->token, r->tn, r->tn_len);
	a->token_len = r->tn_len;
	return true;
}

/* ---- message ---- */

static void build_path(struct coap_builder *b, const struct ask *a)
{
	const struct lwm2m_objects *o = copy_who(a->dev, a->assoc).objects;
	const char *p = o ? o->base.p : NULL, *end = p ? p + o->base.len : NULL;

	while (p < end) {
		const char *slash;

		p += *p == '/';
		slash = memchr(p, '/', (size_t)(end - p));
		if (!slash)
			slash = end;
		coap_build_option(b, COAP_URI_PATH, p, (size_t)(slash - p));
		p = slash;
	}
	for (unsigned i = 0; i < a->target.path.depth; i++) {
		char id[8];
		int len = snprintf(id, sizeof id, "%u", a->target.path.id[i]);

		coap_build_option(b, COAP_URI_PATH, id, (size_t)len);
	}
}

static uint8_t method_of(enum ask_verb verb)
{
	return verb == ASK_WRITE ? COAP_PUT : verb == ASK_EXECUTE ? COAP_POST : COAP_GET;
}

static long build(struct ask *a, const struct ask_request *r, uint8_t *buf, size_t size)
{
	struct coap_builder b;
	char depth[16];
	int len;

	coap_build(&b, buf, size, COAP_CON, method_of((enum ask_verb)a->verb), own_mid(a->all), a->token, a->token_len);
	if (a->block2 == 0 && (a->verb == ASK_OBSERVE || a->verb == ASK_CANCEL))
		coap_build_uint(&b, COAP_OBSERVE, a->verb == ASK_CANCEL);
	build_path(&b, a);
	if (r && r->len)
		coap_build_uint(&b, COAP_CONTENT_FORMAT, r->format);
	if (a->verb == ASK_DISCOVER && r && r->depth >= 0) {
		len = snprintf(depth, sizeof depth, "depth=%d", r->depth);
		coap_build_option(&b, COAP_URI_QUERY, depth, (size_t)len);
	}
	if (a->verb == ASK_DISCOVER)
		coap_build_uint(&b, COAP_ACCEPT, LWM2M_CF_LINK);
	if (a->block2)
		coap_build_uint(&b, COAP_BLOCK2, a->block2);
	if (r)
		coap_build_payload(&b, r->body, r->len);
	return coap_build_end(&b);
}

void ask_send(struct ask *a, const struct ask_request *r)
{
	uint8_t buf[ASK_BODY_MOST + 256];
	long len = build(a, r, buf, sizeof buf);

	if (len < 0)
		ask_end(a, "too_big", "more than one request takes");
	else
		own_send(a->assoc, buf, (size_t)len);
}
