/* SPDX-License-Identifier: Apache-2.0 */
/* ask_answer.c - what a device, or the gateway in its place, answers to a request of the gateway; its blocks in order
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/decode.h"
#include "session/own.h"

enum { ANSWER_MOST = 65536 };

/* The gateway's own word, by what it would tell a server. */
static const char *error_of(uint8_t code, const char *text)
{
	static const struct {
		const char *text, *word;
	} words[] = { { "asleep", "asleep" },   { "not delivered", "expired" }, { "dropped by command", "expired" },
		      { "queue full", "busy" }, { "gateway busy", "busy" },     { "device not attached", "upstream" },
		      { "barred", "upstream" } };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].text, text) == 0)
			return words[i].word;
	switch (code) {
	case COAP_TOO_LARGE:
		return "too_big";
	case COAP_TOO_MANY:
	case COAP_UNAVAILABLE:
		return "busy";
	case COAP_GATEWAY_TIMEOUT:
		return "timeout";
	case COAP_BAD_GATEWAY:
		return "upstream";
	default:
		return "internal";
	}
}

static void refused(struct ask *a, const struct coap_msg *m, bool by_gateway)
{
	char text[96];
	char code[5];
	size_t len = m->payload_len < sizeof text - 1 ? m->payload_len : sizeof text - 1;

	if (by_gateway) {
		memcpy(text, m->payload ? m->payload : (const uint8_t *)"", len);
		text[len] = 0;
		ask_end(a, error_of(m->code, text), len ? text : "the device cannot be asked now");
		return;
	}
	a->code = m->code;
	snprintf(text, sizeof text, "the device answered %s", coap_code_text(code, m->code));
	ask_end(a, "upstream", text);
}

static bool append(struct ask *a, const struct coap_msg *m)
{
	uint8_t *grown;

	if (!m->payload_len)
		return true;
	if (a->len + m->payload_len > ANSWER_MOST)
		return false;
	grown = realloc(a->body, a->len + m->payload_len);
	if (!grown)
		return false;
	memcpy(grown + a->len, m->payload, m->payload_len);
	a->body = grown;
	a->len += m->payload_len;
	return true;
}

static void take_body(struct ask *a, const struct coap_msg *m, const struct coap_view *v)
{
	uint32_t num = v->has_block2 ? coap_block_num(v->block2) : 0;
	unsigned szx = v->has_block2 ? coap_block_szx(v->block2) : 0;

	if (!num)
		a->format = v->has_content_format  ? v->content_format
			: a->target.path.depth > 2 ? LWM2M_CF_TEXT
						   : 65536;
	if ((num || a->len) && (size_t)num * coap_block_size(szx) != a->len) {
		ask_end(a, "upstream", "the blocks of the answer do not fit together");
		return;
	}
	if (!append(a, m)) {
		ask_end(a, "too_big", "the answer is longer than 64 KiB");
		return;
	}
	if (v->has_block2 && coap_block_more(v->block2)) {
		a->block2 = (num + 1) << 4 | szx;
		a->step = STEP_MORE;
		ask_wait(a, 1);
		return;
	}
	if (a->verb == ASK_OBSERVE && !a->block2 && !v->has_observe)
		ask_end(a, "upstream", "the device does not observe it");
	else
		ask_end(a, NULL, NULL);
}

void ask_response(struct ask *a, const struct coap_msg *m)
{
	struct coap_option mark;
	struct coap_view v;

	if (a->dev && coap_option_find(m, OWN_MARK, &mark)) {
		refused(a, m, true);
		return;
	}
	if (coap_class(m->code) != 2) {
		refused(a, m, false);
		return;
	}
	coap_view(&v, m, false);
	a->code = m->code;
	a->arrival_ms = clock_wall_ms();
	take_body(a, m, &v);
}
