/* SPDX-License-Identifier: Apache-2.0 */
/* scef_delivery.c - downlink data deliveries (TS 29.122 5.6.3): sent at once, kept, or refused
 *
 * What is finished at once is answered 200 and leaves nothing behind; what waits is a resource and answered 201; what
 * can do neither is a 500 with the problem nested in NiddDownlinkDataDeliveryFailure.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "sim/scef.h"

#define DATA_MAX 65536

static char *self_of(const struct scef *s, const struct scef_config *c, const char *id)
{
	char path[320];

	snprintf(path, sizeof path, "/%s/configurations/%s/downlink-data-deliveries/%s", c->scs_as_id, c->id, id);
	return scef_link(s, path);
}

/* The answer's form of a delivery: body with state, and self when it is kept. */
static json_t *shown(const struct scef *s, const struct scef_config *c, json_t *body, const char *id, const char *state)
{
	json_t *v = json_copy(body);

	if (id) {
		char *self = self_of(s, c, id);

		json_object_set_new(v, "self", json_string(self));
		free(self);
	}
	if (s->opts.omit_data)
		json_object_del(v, "data");
	if (!s->opts.omit_status)
		json_object_set_new(v, s->opts.status_alias ? "status" : "deliveryStatus", json_string(state));
	scef_put_ids(s, c->user, c, v);
	return v;
}

json_t *scef_delivery_json(const struct scef *s, const struct scef_delivery *d)
{
	return shown(s, d->config, d->body, d->id, d->state);
}

static void delivery_free(struct scef_delivery *d)
{
	json_decref(d->body);
	free(d);
}

void scef_pending_free(struct scef_user *u, const struct scef_config *c)
{
	for (struct scef_delivery **at = &u->pending; *at;) {
		struct scef_delivery *d = *at;

		if (c && d->config != c) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		delivery_free(d);
	}
}

/* ---- to the radio ---- */

static long data_of(const json_t *body, uint8_t *out)
{
	const char *text = json_string_value(json_object_get(body, "data"));

	return text ? base64_decode(out, DATA_MAX, text, strlen(text)) : -EBADMSG;
}

static void transmit(struct scef_user *u, const json_t *body)
{
	uint8_t *data = malloc(DATA_MAX);
	long len = data ? data_of(body, data) : -ENOMEM;

	if (len >= 0)
		scef_radio_send(u, data, (size_t)len);
	free(data);
}

size_t scef_flush(struct scef_user *u, const char *state, bool to_radio)
{
	struct scef *s = u->scef;
	struct scef_delivery *d;
	size_t n = 0;

	while ((d = u->pending)) {
		bool late = d->latency_ms != UINT64_MAX && clock_now_ms() - d->since_ms > d->latency_ms;
		const char *end = late ? "FAILURE_TIMEOUT" : state;
		char *self = self_of(s, d->config, d->id);

		u->pending = d->next;
		if (to_radio && !late)
			transmit(u, d->body);
		scef_notify_delivery(u, self, end, NULL, NULL);
		scef_event(s,
			   json_pack("{s:s, s:s, s:s, s:s}", "ev", "delivered", "external_id", scef_user_name(u),
				     "delivery", d->id, "state", end));
		free(self);
		delivery_free(d);
		n++;
	}
	return n;
}

/* ---- new ones ---- */

static void retry_time(const struct scef *s, json_t *v)
{
	char text[40];

	if (!s->opts.retry_after_s)
		return;
	clock_format(text, sizeof text, clock_wall_ms() + s->opts.retry_after_s * 1000);
	json_object_set_new(v, "requestedRetransmissionTime", json_string(text));
}

static void failure(struct scef_exchange *x, const char *cause)
{
	x->status = 500;
	x->answer = json_pack("{s:{s:i, s:s, s:s}}", "problemDetail", "status", 500, "title", "not delivered", "cause",
			      cause);
	retry_time(x->scef, x->answer);
}

static size_t octets_allowed(const struct scef *s)
{
	uint64_t n = s->opts.max_packet;

	return n == 0 || !s->opts.enforce_size ? DATA_MAX : (size_t)(n > 1500 ? n / 8 : n);
}

/* The state in which it has to wait; "" when it can be sent now; NULL when it is refused (x is answered). */
static const char *must_wait(struct scef_exchange *x, const struct scef_config *c, const json_t *body)
{
	struct scef_user *u = c->user;
	const char *option = json_string_value(json_object_get(body, "pdnEstablishmentOption"));
	json_t *latency = json_object_get(body, "maximumLatency");
	bool may_wait = !latency || json_integer_value(latency) > 0;

	if (!option)
		option = json_string_value(json_object_get(c->body, "pdnEstablishmentOption"));
	if (*x->pending)
		return x->pending;
	if (x->scef->opts.buffering)
		return "BUFFERING";
	if (u->asleep && may_wait)
		return "BUFFERING_TEMPORARILY_NOT_REACHABLE";
	if (u->asleep) {
		failure(x, "TEMPORARILY_NOT_REACHABLE");
		return NULL;
	}
	if (scef_radio_reaches(u))
		return "";
	if (option && !strcmp(option, "SEND_TRIGGER"))
		return "TRIGGERED";
	if (may_wait && (!option || strcmp(option, "INDICATE_ERROR") != 0))
		return "BUFFERING";
	failure(x, "PDN_CONNECTION_MISSING");
	return NULL;
}

static struct scef_delivery *keep(struct scef *s, struct scef_config *c, json_t *body, const char *state)
{
	struct scef_delivery *d = calloc(1, sizeof *d), **end = &c->user->pending;
	json_t *latency = json_object_get(body, "maximumLatency");

	if (!d)
		return NULL;
	snprintf(d->id, sizeof d->id, "%llu", (unsigned long long)++s->ids);
	d->config = c;
	d->body = json_incref(body);
	snprintf(d->state, sizeof d->state, "%s", state);
	d->since_ms = clock_now_ms();
	d->latency_ms = json_is_integer(latency) && json_integer_value(latency) > 0
		? (uint64_t)json_integer_value(latency) * 1000
		: UINT64_MAX;
	while (*end)
		end = &(*end)->next;
	*end = d;
	return d;
}

static struct scef_delivery **find(struct scef_config *c, const char *id)
{
	struct scef_delivery **at = &c->user->pending;

	while (*at && ((*at)->config != c || strcmp((*at)->id, id)))
		at = &(*at)->next;
	return at;
}

static void pending(struct scef_exchange *x, struct scef_config *c, json_t *body, const char *state)
{
	struct scef *s = x->scef;
	struct scef_delivery *d = keep(s, c, body, state), **at;

	if (!d) {
		scef_problem(x, 500, NULL, NULL);
		return;
	}
	snprintf(x->sub_id, sizeof x->sub_id, "%s", d->id);
	x->status = 201;
	x->answer = scef_delivery_json(s, d);
	x->location = s->opts.omit_location ? NULL : self_of(s, c, d->id);
	scef_event(s,
		   json_pack("{s:s, s:s, s:s, s:s}", "ev", "buffered", "external_id", scef_user_name(c->user),
			     "delivery", d->id, "state", state));
	if (s->opts.status_before_answer) {
		char *self = self_of(s, c, d->id);

		x->held = true;
		transmit(c->user, body);
		scef_notify_delivery(c->user, self, s->opts.success, x, NULL);
		free(self);
		at = find(c, d->id);
		*at = d->next;
		delivery_free(d);
	}
}

static bool check(struct scef_exchange *x, const json_t *body)
{
	uint8_t *data = malloc(DATA_MAX);
	long len = data ? data_of(body, data) : -ENOMEM;
	json_t *external_id = json_object_get(body, "externalId"), *msisdn = json_object_get(body, "msisdn");

	free(data);
	if (len < 0)
		scef_invalid(x, "/data", "no base64");
	else if ((external_id != NULL) + (msisdn != NULL) + (json_object_get(body, "externalGroupId") != NULL) != 1)
		scef_invalid(x, "/externalId", "exactly one of externalId, msisdn, externalGroupId");
	else if ((size_t)len > octets_allowed(x->scef))
		scef_problem(x, 403, "DATA_TOO_LARGE", "above maximumPacketSize");
	else
		return true;
	return false;
}

static void deliver(struct scef_exchange *x, struct scef_config *c, json_t *body)
{
	const char *state;

	if (!check(x, body))
		return;
	state = must_wait(x, c, body);
	if (!state)
		return;
	if (*state) {
		pending(x, c, body, state);
		return;
	}
	if (!x->no_radio)
		transmit(c->user, body);
	x->status = 200;
	x->answer = shown(x->scef, c, body, NULL, x->scef->opts.success);
}

void scef_deliver_first(struct scef_exchange *x, struct scef_config *c, json_t *body)
{
	json_t *old = x->answer;
	int status = x->status;

	x->answer = NULL;
	deliver(x, c, body);
	free(x->location);
	x->location = NULL;
	*x->sub_id = '\0';
	json_decref(x->answer);
	x->answer = old;
	x->status = status;
	x->held = false;
}

/* ---- those that wait ---- */

static void one(struct scef_exchange *x, struct scef_delivery **at)
{
	struct scef_delivery *d = *at;
	const char *name;
	json_t *v;

	switch (x->op) {
	case SCEF_DELIVERY_DELETE:
		*at = d->next;
		delivery_free(d);
		x->status = 204;
		return;
	case SCEF_DELIVERY_PUT:
		if (!check(x, x->request))
			return;
		json_decref(d->body);
		d->body = json_incref(x->request);
		break;
	case SCEF_DELIVERY_PATCH:
		v = json_copy(d->body);
		json_decref(d->body);
		d->body = v;
		json_object_foreach(x->request, name, v) json_object_set(d->body, name, v);
		break;
	default:
		break;
	}
	x->status = 200;
	x->answer = scef_delivery_json(x->scef, d);
}

static void list(struct scef_exchange *x, struct scef_config *c)
{
	x->status = 200;
	x->answer = json_array();
	for (struct scef_delivery *d = c->user->pending; d; d = d->next) {
		if (d->config == c)
			json_array_append_new(x->answer, scef_delivery_json(x->scef, d));
	}
}

void scef_delivery_op(struct scef_exchange *x)
{
	struct scef_config *c = scef_config_find(x->scef, x->config_id);
	struct scef_delivery **at = c ? find(c, x->sub_id) : NULL;

	if (!c || strcmp(c->scs_as_id, x->scs_as_id))
		scef_problem(x, 404, NULL, "there is no such configuration");
	else if (x->op == SCEF_DELIVERY)
		deliver(x, c, x->request);
	else if (x->op == SCEF_DELIVERY_LIST)
		list(x, c);
	else if (!*at)
		scef_problem(x, 404, NULL, "there is no such delivery");
	else
		one(x, at);
}
