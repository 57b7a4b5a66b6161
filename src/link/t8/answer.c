/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - answers into plain fields
 *
 * Answers of real peers deviate from the schema: status for deliveryStatus, data missing, self relative, HTML where
 * JSON is due. So everything here is optional, and what cannot be read is as if it were not there.
 */
#include "link/t8/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "link/t8/list.h"
#include "link/t8/scan.h"

static void read_self(char *tail, const struct t8_doc *d, const char *scs)
{
	char self[T8_LINK_MAX];

	tail[0] = '\0';
	if (!t8_text(d, t8_member(d, d->v, "self"), self, sizeof self))
		t8_tail(tail, self, scs);
}

static bool read_time(uint64_t *wall_ms, const struct t8_doc *d, const char *key)
{
	char text[64];

	return !t8_text(d, t8_member(d, d->v, key), text, sizeof text) && !clock_parse(text, wall_ms);
}

static void fill_config(struct t8_config_answer *a, const struct t8_doc *d, const char *scs)
{
	char msisdn[64];
	int64_t size;

	read_self(a->tail, d, scs);
	t8_text(d, t8_member(d, d->v, "externalId"), a->external_id, sizeof a->external_id);
	if (t8_text(d, t8_member(d, d->v, "msisdn"), msisdn, sizeof msisdn) ||
	    t8_msisdn(a->msisdn, sizeof a->msisdn, msisdn))
		a->msisdn[0] = '\0';
	t8_text(d, t8_member(d, d->v, "notificationDestination"), a->destination, sizeof a->destination);
	t8_text(d, t8_member(d, d->v, "status"), a->status, sizeof a->status);
	a->has_duration = read_time(&a->duration_wall_ms, d, "duration");
	if (t8_integer(d, t8_member(d, d->v, "maximumPacketSize"), 1, INT64_MAX, &size))
		a->packet_size = (uint64_t)size;
}

int t8_config_read(struct t8_config_answer *a, const char *text, size_t len, const char *scs)
{
	struct t8_doc d;

	memset(a, 0, sizeof *a);
	if (t8_scan(&d, text, len) || !t8_is(d.v, T8_OBJECT))
		return -EBADMSG;
	fill_config(a, &d, scs);
	return 0;
}

/* One line for the log: what the peer says is wrong, and with which member. */
static void read_problem(struct t8_delivery_answer *a, const struct t8_doc *d, const struct t8_value *p)
{
	const struct t8_value *first = t8_first(d, t8_member(d, p, "invalidParams"));
	const struct t8_value *said = t8_member(d, p, "detail");
	char detail[4 * T8_TEXT_MAX], param[T8_TEXT_MAX];

	if (!t8_is(said, T8_STRING))
		said = t8_member(d, p, "title");
	t8_text(d, said, detail, sizeof detail);
	t8_text(d, t8_member(d, first, "param"), param, sizeof param);
	t8_text(d, t8_member(d, p, "cause"), a->cause, sizeof a->cause);
	snprintf(a->detail, sizeof a->detail, "%.120s%s%.30s", detail, *param ? " param " : "", param);
}

static void read_status(char status[T8_STATUS_MAX], const struct t8_doc *d)
{
	if (t8_text(d, t8_member(d, d->v, "deliveryStatus"), status, T8_STATUS_MAX))
		t8_text(d, t8_member(d, d->v, "status"), status,
			T8_STATUS_MAX); /* an integer there is ProblemDetails': not copied */
}

static void fill_delivery(struct t8_delivery_answer *a, const struct t8_doc *d, const char *scs)
{
	const struct t8_value *problem = t8_member(d, d->v,
						   "problemDetail"); /* nested: NiddDownlinkDataDeliveryFailure */

	read_self(a->tail, d, scs);
	read_status(a->status, d);
	a->has_retry = read_time(&a->retry_wall_ms, d, "requestedRetransmissionTime");
	if (!t8_is(problem, T8_OBJECT))
		problem = t8_member(d, d->v, "problemDetails"); /* seen with an s */
	read_problem(a, d, t8_is(problem, T8_OBJECT) ? problem : d->v);
	a->typed = t8_is(problem, T8_OBJECT) || a->has_retry || !strncmp(a->status, "FAILURE", 7);
}

void t8_delivery_read(struct t8_delivery_answer *a, const char *text, size_t len, const char *scs)
{
	struct t8_doc d;

	memset(a, 0, sizeof *a);
	if (!t8_scan(&d, text, len) && t8_is(d.v, T8_OBJECT))
		fill_delivery(a, &d, scs);
}

/* ---- lists of deliveries: cut apart, so that one of a whole fleet's takes no more memory than one of a few ---- */

struct cut {
	const char *scs;
	t8_pending_fn *fn;
	void *arg;
	bool junk; /* what cannot be read may be what is looked for */
	struct t8_doc d;
	struct t8_pending_answer a;
};

static bool read_octets(struct t8_pending_answer *a, const struct t8_doc *d)
{
	const struct t8_value *v = t8_member(d, d->v, "data");
	char copy[BASE64_LEN(T8_UNIT_MAX) + 1];
	const char *text = t8_is(v, T8_STRING) ? t8_text_in_place(d, v) : NULL;
	long n = -EBADMSG;

	if (text)
		n = base64_decode(a->data, sizeof a->data, text, v->len);
	else if (!t8_text(d, v, copy, sizeof copy))
		n = base64_decode(a->data, sizeof a->data, copy, strlen(copy));
	a->len = n < 0 ? 0 : (size_t)n;
	return n >= 0;
}

static void on_object(void *arg, const char *text, size_t len)
{
	struct cut *c = arg;

	if (t8_scan(&c->d, text, len)) {
		c->junk = true;
		return;
	}
	read_self(c->a.tail, &c->d, c->scs);
	read_status(c->a.status, &c->d);
	c->a.has_retry = read_time(&c->a.retry_wall_ms, &c->d, "requestedRetransmissionTime");
	c->a.has_data = read_octets(&c->a, &c->d);
	c->fn(c->arg, &c->a);
}

int t8_pendings_read(const char *text, size_t len, const char *scs, t8_pending_fn *fn, void *arg)
{
	struct cut *c = malloc(sizeof *c);
	struct t8_list list;
	int err;

	if (!c)
		return -ENOMEM;
	c->scs = scs;
	c->fn = fn;
	c->arg = arg;
	c->junk = false;
	t8_list_init(&list, on_object, c);
	err = t8_list_feed(&list, text, len);
	if (!err && (!t8_list_complete(&list) || c->junk || list.skipped))
		err = -EBADMSG;
	t8_list_fini(&list);
	free(c);
	return err;
}

struct wanted {
	char *tail;
	const uint8_t *data;
	size_t len;
	bool found;
};

static void on_pending(void *arg, const struct t8_pending_answer *a)
{
	struct wanted *w = arg;

	if (w->found || !a->has_data || a->len != w->len || memcmp(a->data, w->data, w->len))
		return;
	w->found = true;
	memcpy(w->tail, a->tail, T8_TAIL_MAX);
}

int t8_pending_find(char *tail, const char *text, size_t len, const char *scs, const uint8_t *data, size_t data_len)
{
	struct wanted w = { tail, data, data_len, false };
	int err;

	tail[0] = '\0';
	err = t8_pendings_read(text, len, scs, on_pending, &w);
	return w.found ? 0 : err ? err : -ENOENT;
}
