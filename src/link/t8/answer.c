/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - answers into plain fields
 *
 * Answers of real peers deviate from the schema: status for deliveryStatus, data missing, self relative, HTML where
 * JSON is due. So everything here is optional, and what cannot be read is as if it were not there.
 */
#include "link/t8/answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "link/t8/json.h"

static void read_self(char *tail, const json_t *j, const char *scs)
{
	const char *self = t8_json_text(j, "self");

	tail[0] = '\0';
	if (self)
		t8_tail(tail, self, scs);
}

static bool read_time(uint64_t *wall_ms, const json_t *j, const char *key)
{
	const char *text = t8_json_text(j, key);

	return text && !clock_parse(text, wall_ms);
}

static void fill_config(struct t8_config_answer *a, const json_t *j, const char *scs)
{
	const json_t *size = json_object_get(j, "maximumPacketSize");
	char msisdn[64];

	read_self(a->tail, j, scs);
	t8_json_copy(a->external_id, sizeof a->external_id, j, "externalId");
	if (t8_json_copy(msisdn, sizeof msisdn, j, "msisdn") || t8_msisdn(a->msisdn, sizeof a->msisdn, msisdn))
		a->msisdn[0] = '\0';
	t8_json_copy(a->destination, sizeof a->destination, j, "notificationDestination");
	t8_json_copy(a->status, sizeof a->status, j, "status");
	a->has_duration = read_time(&a->duration_wall_ms, j, "duration");
	if (json_is_integer(size) && json_integer_value(size) > 0)
		a->packet_size = (uint64_t)json_integer_value(size);
}

int t8_config_read(struct t8_config_answer *a, const char *text, size_t len, const char *scs)
{
	json_t *j = NULL;
	int err;

	memset(a, 0, sizeof *a);
	err = t8_json_read(&j, text, len, T8_JSON_MEMBERS);
	if (err)
		return err == -ENOMEM ? err : -EBADMSG;
	if (json_is_object(j))
		fill_config(a, j, scs);
	else
		err = -EBADMSG;
	json_decref(j);
	return err;
}

/* One line for the log: what the peer says is wrong, and with which member. */
static void read_problem(struct t8_delivery_answer *a, const json_t *p)
{
	const json_t *first = json_array_get(json_object_get(p, "invalidParams"), 0);
	const char *detail = t8_json_text(p, "detail"), *param = t8_json_text(first, "param");

	if (!detail)
		detail = t8_json_text(p, "title");
	t8_json_copy(a->cause, sizeof a->cause, p, "cause");
	snprintf(a->detail, sizeof a->detail, "%.120s%s%.30s", detail ? detail : "", param ? " param " : "",
		 param ? param : "");
}

static void read_status(char status[T8_STATUS_MAX], const json_t *j)
{
	if (t8_json_copy(status, T8_STATUS_MAX, j, "deliveryStatus"))
		t8_json_copy(status, T8_STATUS_MAX, j, "status"); /* an integer there is ProblemDetails': not copied */
}

static void fill_delivery(struct t8_delivery_answer *a, const json_t *j, const char *scs)
{
	const json_t *problem = json_object_get(j, "problemDetail"); /* nested: NiddDownlinkDataDeliveryFailure */

	read_self(a->tail, j, scs);
	read_status(a->status, j);
	a->has_retry = read_time(&a->retry_wall_ms, j, "requestedRetransmissionTime");
	if (!json_is_object(problem))
		problem = json_object_get(j, "problemDetails"); /* seen with an s */
	read_problem(a, json_is_object(problem) ? problem : j);
	a->typed = json_is_object(problem) || a->has_retry || !strncmp(a->status, "FAILURE", 7);
}

void t8_delivery_read(struct t8_delivery_answer *a, const char *text, size_t len, const char *scs)
{
	json_t *j = NULL;

	memset(a, 0, sizeof *a);
	if (!len || t8_json_read(&j, text, len, T8_JSON_MEMBERS))
		return;
	if (json_is_object(j))
		fill_delivery(a, j, scs);
	json_decref(j);
}

static bool read_octets(uint8_t data[T8_UNIT_MAX], size_t *len, const json_t *item)
{
	const json_t *v = json_object_get(item, "data");
	long n = json_is_string(v) ? base64_decode(data, T8_UNIT_MAX, json_string_value(v), json_string_length(v)) : -1;

	*len = n < 0 ? 0 : (size_t)n;
	return n >= 0;
}

static bool has_octets(const json_t *item, const uint8_t *data, size_t len)
{
	uint8_t got[T8_UNIT_MAX];
	size_t n;

	return read_octets(got, &n, item) && n == len && !memcmp(got, data, len);
}

int t8_pendings_read(const char *text, size_t len, const char *scs, t8_pending_fn *fn, void *arg)
{
	struct t8_pending_answer a;
	json_t *j = NULL, *item;
	size_t i;
	int err = t8_json_read(&j, text, len, 100 * T8_JSON_MEMBERS);

	if (err)
		return err == -ENOMEM ? err : -EBADMSG;
	if (!json_is_array(j))
		err = -EBADMSG;
	json_array_foreach(j, i, item)
	{
		read_self(a.tail, item, scs);
		read_status(a.status, item);
		a.has_retry = read_time(&a.retry_wall_ms, item, "requestedRetransmissionTime");
		a.has_data = read_octets(a.data, &a.len, item);
		fn(arg, &a);
	}
	json_decref(j);
	return err;
}

int t8_pending_find(char *tail, const char *text, size_t len, const char *scs, const uint8_t *data, size_t data_len)
{
	json_t *j = NULL, *item;
	size_t i;
	int err;

	tail[0] = '\0';
	err = t8_json_read(&j, text, len, 100 * T8_JSON_MEMBERS);
	if (err)
		return err == -ENOMEM ? err : -EBADMSG;
	err = json_is_array(j) ? -ENOENT : -EBADMSG;
	json_array_foreach(j, i, item)
	{
		if (!has_octets(item, data, data_len))
			continue;
		read_self(tail, item, scs);
		err = 0;
		break;
	}
	json_decref(j);
	return err;
}
