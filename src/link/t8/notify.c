/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - notifications into plain fields; nothing of the JSON is kept */
#include "link/t8/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "link/t8/scan.h"

const char *const t8_note_names[T8_NOTE_COUNT] = { "test", "group", "delivery", "uplink", "status", "ports" };

/* In this order: the first whose members are all there is it. link: where the resource is named. */
static const struct {
	enum t8_note_kind kind;
	const char *link, *also;
} kinds[] = {
	{ T8_NOTE_GROUP, "niddDownlinkDataTransfer", "gmdResults" },
	{ T8_NOTE_DELIVERY, "niddDownlinkDataTransfer", "deliveryStatus" },
	{ T8_NOTE_DELIVERY, "niddDownlinkDataTransfer", "status" }, /* alias seen in the field */
	{ T8_NOTE_UPLINK, "niddConfiguration", "data" },
	{ T8_NOTE_STATUS, "niddConfiguration", "status" },
	{ T8_NOTE_PORTS, "niddConfiguration", NULL },
	{ T8_NOTE_UPLINK, NULL, "data" }, /* without its link: the identity is enough */
	{ T8_NOTE_TEST, "subscription", NULL },
};

static int classify(const struct t8_doc *d, const struct t8_value **link, const char **name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		*link = kinds[i].link ? t8_member(d, d->v, kinds[i].link) : NULL;
		*name = kinds[i].link;
		if (kinds[i].link && !*link)
			continue;
		if (!kinds[i].also || t8_member(d, d->v, kinds[i].also))
			return (int)kinds[i].kind;
	}
	return -EBADMSG;
}

static int read_port(int16_t *out, const struct t8_doc *d, const struct t8_value *ports, const char *key)
{
	int64_t port;

	if (!t8_integer(d, t8_member(d, ports, key), 0, 15, &port)) /* TS 24.250: four bits */
		return -EBADMSG;
	*out = (int16_t)port;
	return 0;
}

static int read_ports(struct t8_note *n, const struct t8_doc *d, const char **fault)
{
	const struct t8_value *ports = t8_member(d, d->v, "rdsPort");

	if (!ports || t8_is(ports, T8_NULL))
		return 0;
	*fault = "/rdsPort";
	if (read_port(&n->port_ue, d, ports, "portUE") || read_port(&n->port_scef, d, ports, "portSCEF"))
		return -EBADMSG;
	return 0;
}

static int read_ids(struct t8_note *n, const struct t8_doc *d, const char **fault)
{
	char raw[64];
	int err = t8_text(d, t8_member(d, d->v, "externalId"), n->external_id, sizeof n->external_id);

	*fault = "/externalId";
	if (err && err != -ENOENT)
		return -EBADMSG;
	*fault = "/msisdn";
	err = t8_text(d, t8_member(d, d->v, "msisdn"), raw, sizeof raw);
	if (err == -ENOENT)
		return 0;
	return err || t8_msisdn(n->msisdn, sizeof n->msisdn, raw) ? -EBADMSG : 0;
}

/* Drops what a careless encoder leaves in: padding anywhere, blanks. */
static size_t tidy(char *out, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (!strchr("= \t", text[i]))
			out[n++] = text[i];
	return n;
}

/* With escapes, or in a form that only a lenient reader takes: from a copy. */
static long decode_copy(struct t8_note *n, const struct t8_doc *d, const struct t8_value *v, bool lenient)
{
	size_t size = (size_t)v->len + 1; /* an escape is longer than what it stands for */
	char *copy = malloc(size);
	long got;

	if (!copy)
		return -ENOMEM;
	t8_text(d, v, copy, size);
	got = base64_decode(n->data, sizeof n->data, copy, strlen(copy));
	if (got == -EBADMSG && lenient)
		got = base64_decode(n->data, sizeof n->data, copy, tidy(copy, copy, strlen(copy)));
	free(copy);
	return got;
}

static int read_data(struct t8_note *n, const struct t8_doc *d, bool lenient, const char **fault)
{
	const struct t8_value *v = t8_member(d, d->v, "data");
	const char *text;
	long got = -EBADMSG;

	*fault = "/data";
	if (!t8_is(v, T8_STRING))
		return -EBADMSG;
	text = t8_text_in_place(d, v);
	if (text)
		got = base64_decode(n->data, sizeof n->data, text, v->len);
	if (got == -EBADMSG && (!text || lenient))
		got = decode_copy(n, d, v, lenient);
	if (got < 0)
		return (int)got;
	n->len = (size_t)got;
	return 0;
}

static int read_status(struct t8_note *n, const struct t8_doc *d, const char **fault)
{
	const struct t8_value *v = n->kind == T8_NOTE_DELIVERY ? t8_member(d, d->v, "deliveryStatus") : NULL;
	char when[64];

	*fault = v ? "/deliveryStatus" : "/status";
	if (!v)
		v = t8_member(d, d->v, "status");
	if (t8_text(d, v, n->status, sizeof n->status) || !*n->status)
		return -EBADMSG;
	n->has_retry = !t8_text(d, t8_member(d, d->v, "requestedRetransmissionTime"), when, sizeof when) &&
		!clock_parse(when, &n->retry_wall_ms);
	return 0;
}

static const char *fault_of_link(const struct t8_note *n)
{
	return n->kind == T8_NOTE_TEST        ? "/subscription"
		: n->kind <= T8_NOTE_DELIVERY ? "/niddDownlinkDataTransfer"
					      : "/niddConfiguration";
}

static int read_members(struct t8_note *n, const struct t8_doc *d, const char *scs, bool lenient, const char **fault)
{
	const struct t8_value *link;
	const char *name;
	char text[T8_LINK_MAX];
	int kind = classify(d, &link, &name), err;

	*fault = "";
	if (kind < 0)
		return kind;
	n->kind = (enum t8_note_kind)kind;
	if (link) {
		*fault = fault_of_link(n);
		err = t8_text(d, link, text, sizeof text);
		if (err && err != -EMSGSIZE)
			return -EBADMSG;
		t8_tail(n->tail, text, scs); /* one that cannot be ours stays "" */
	}
	if (n->kind <= T8_NOTE_GROUP)
		return 0;
	if (n->kind == T8_NOTE_DELIVERY)
		return read_status(n, d, fault);
	err = read_ids(n, d, fault);
	if (!err)
		err = read_ports(n, d, fault);
	if (!err && n->kind == T8_NOTE_UPLINK)
		err = read_data(n, d, lenient, fault);
	else if (!err && n->kind == T8_NOTE_STATUS)
		err = read_status(n, d, fault);
	return err;
}

int t8_note_read(struct t8_note *n, const uint8_t *body, size_t len, const char *scs, bool lenient, const char **fault)
{
	struct t8_doc d;

	*fault = "";
	n->external_id[0] = n->msisdn[0] = n->tail[0] = n->status[0] = '\0';
	n->has_retry = false;
	n->retry_wall_ms = 0;
	n->port_ue = n->port_scef = -1;
	n->len = 0;
	if (t8_scan(&d, (const char *)body, len) || !t8_is(d.v, T8_OBJECT))
		return -EBADMSG;
	return read_members(n, &d, scs, lenient, fault);
}
