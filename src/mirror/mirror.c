/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.c - life of the mirror, and where its reports go */
#include "mirror/mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "mirror/inside.h"

enum { EP_TEXT = 4 * 255 + 1 }; /* of an endpoint name with every octet escaped */

int mirror_new(struct mirror **out, const struct mirror_env *env)
{
	static const char help[] = "Reports made of what devices sent, decoded (data) or only described (raw)";
	struct mirror *m = calloc(1, sizeof *m);

	if (!m)
		return -ENOMEM;
	m->env = *env;
	m->counts[NIDDGW_RECORD_DATA] = metrics_counter(env->metrics, "mirror_records_total", "kind=\"data\"", help);
	m->counts[NIDDGW_RECORD_RAW] = metrics_counter(env->metrics, "mirror_records_total", "kind=\"raw\"", help);
	*out = m;
	return 0;
}

void mirror_free(struct mirror *m)
{
	if (!m)
		return;
	bodies_fini(&m->bodies);
	last_units_fini(&m->last);
	scratch_fini(&m->scratch);
	free(m);
}

int mirror_make_room(struct mirror *m)
{
	return m->scratch.values ? 0 : scratch_init(&m->scratch);
}

void mirror_listen(struct mirror *m, bool somebody)
{
	if (somebody == m->listening)
		return;
	if (somebody && mirror_make_room(m)) {
		log_ev(LOG_ERROR, "mirror", "mirror.off", LF_STR("reason", "no memory"));
		return;
	}
	m->listening = somebody;
}

bool mirror_listens(const struct mirror *m)
{
	return m && m->listening;
}

void mirror_set_registry(struct mirror *m, const struct lwm2m_registry *r)
{
	m->registry = r;
}

const struct lwm2m_registry *mirror_registry(const struct mirror *m)
{
	return m->registry;
}

/* A name that is no UTF-8, as the documents that tell of its device have it. */
static void mend_ep(struct report *r, char *buf, size_t size)
{
	const uint8_t *p = (const uint8_t *)r->ep;
	size_t len = p ? strlen(r->ep) : 0, n = 0;

	for (size_t i = 0; i < len; i += n) {
		n = text_utf8(p + i, len - i);
		if (n)
			continue;
		text_escape(buf, size, r->ep);
		r->ep = buf;
		return;
	}
}

void mirror_give(struct mirror *m, struct report *r)
{
	char ep[EP_TEXT];

	mend_ep(r, ep, sizeof ep);
	report_id(&m->ids, r->id, r->arrival_ms);
	++*m->counts[r->kind];
	m->env.report(m->env.arg, r);
}

void mirror_forget(struct mirror *m, const void *dev)
{
	last_units_forget(&m->last, dev);
}

void mirror_forget_leg(struct mirror *m, const void *leg)
{
	bodies_forget(&m->bodies, leg);
}
