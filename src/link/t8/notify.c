/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - notifications into plain fields; nothing of the JSON is kept */
#include "link/t8/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "link/t8/json.h"

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

static int classify(const json_t *j, const char **link)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (kinds[i].link && !json_object_get(j, kinds[i].link))
			continue;
		if (kinds[i].also && !json_object_get(j, kinds[i].also))
			continue;
		*link = kinds[i].link;
		return (int)kinds[i].kind;
	}
	return -EBADMSG;
}

static int read_port(int16_t *out, const json_t *ports, const char *key)
{
	const json_t *v = json_object_get(ports, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 15)
		return -EBADMSG; /* TS 24.250: four bits */
	*out = (int16_t)json_integer_value(v);
	return 0;
}

static int read_ports(struct t8_note *n, const json_t *j, const char **fault)
{
	const json_t *ports = json_object_get(j, "rdsPort");

	if (!ports || json_is_null(ports))
		return 0;
	*fault = "/rdsPort";
	if (read_port(&n->port_ue, ports, "portUE") || read_port(&n->port_scef, ports, "portSCEF"))
		return -EBADMSG;
	return 0;
}

static int read_ids(struct t8_note *n, const json_t *j, const char **fault)
{
	char raw[64];
	int err = t8_json_copy(n->external_id, sizeof n->external_id, j, "externalId");

	*fault = "/externalId";
	if (err && err != -ENOENT)
		return -EBADMSG;
	*fault = "/msisdn";
	err = t8_json_copy(raw, sizeof raw, j, "msisdn");
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

static int read_data(struct t8_note *n, const json_t *j, bool lenient, const char **fault)
{
	const json_t *v = json_object_get(j, "data");
	const char *text = json_string_value(v);
	size_t len = json_string_length(v);
	long got;

	*fault = "/data";
	if (!text)
		return -EBADMSG;
	got = base64_decode(n->data, sizeof n->data, text, len);
	if (got == -EBADMSG && lenient && len) {
		char *copy = malloc(len);

		if (!copy)
			return -ENOMEM;
		got = base64_decode(n->data, sizeof n->data, copy, tidy(copy, text, len));
		free(copy);
	}
	if (got < 0)
		return (int)got;
	n->len = (size_t)got;
	return 0;
}

static int read_status(struct t8_note *n, const json_t *j, const char **fault)
{
	bool delivery = n->kind == T8_NOTE_DELIVERY;
	const char *key = delivery && json_object_get(j, "deliveryStatus") ? "deliveryStatus" : "status";
	const char *when = t8_json_text(j, "requestedRetransmissionTime");

	*fault = !strcmp(key, "status") ? "/status" : "/deliveryStatus";
	if (t8_json_copy(n->status, sizeof n->status, j, key) || !*n->status)
		return -EBADMSG;
	n->has_retry = when && !clock_parse(when, &n->retry_wall_ms);
	return 0;
}

static int read_members(struct t8_note *n, const json_t *j, const char *scs, bool lenient, const char **fault)
{
	const char *link = NULL;
	int kind = classify(j, &link), err;

	*fault = "";
	if (kind < 0)
		return kind;
	n->kind = (enum t8_note_kind)kind;
	if (link) {
		const char *text = t8_json_text(j, link);

		*fault = n->kind == T8_NOTE_TEST      ? "/subscription"
			: n->kind <= T8_NOTE_DELIVERY ? "/niddDownlinkDataTransfer"
						      : "/niddConfiguration";
		if (!text)
			return -EBADMSG;
		t8_tail(n->tail, text, scs); /* one that cannot be ours stays "" */
	}
	if (n->kind <= T8_NOTE_GROUP)
		return 0;
	if (n->kind == T8_NOTE_DELIVERY)
		return read_status(n, j, fault);
	err = read_ids(n, j, fault);
	if (!err)
		err = read_ports(n, j, fault);
	if (!err && n->kind == T8_NOTE_UPLINK)
		err = read_data(n, j, lenient, fault);
	else if (!err && n->kind == T8_NOTE_STATUS)
		err = read_status(n, j, fault);
	return err;
}

int t8_note_read(struct t8_note *n, const uint8_t *body, size_t len, const char *scs, bool lenient, const char **fault)
{
	json_t *j = NULL;
	int err;

	*fault = "";
	n->external_id[0] = n->msisdn[0] = n->tail[0] = n->status[0] = '\0';
	n->has_retry = false;
	n->retry_wall_ms = 0;
	n->port_ue = n->port_scef = -1;
	n->len = 0;
	err = t8_json_read(&j, (const char *)body, len, T8_JSON_MEMBERS);
	if (err)
		return err == -ENOMEM ? err : -EBADMSG;
	err = json_is_object(j) ? read_members(n, j, scs, lenient, fault) : -EBADMSG;
	json_decref(j);
	return err;
}
