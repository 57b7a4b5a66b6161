/* SPDX-License-Identifier: Apache-2.0 */
/* dev_client.c - what a simulated device asks of its server: Register, Update, De-register, Send; and its notifications
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "sim/dev.h"

static const char *const kind_names[DEV_K_COUNT] = { "register", "update", "deregister", "send", "raw" };

static json_t *event(const struct dev *d, const char *ev)
{
	char from[ADDR_TEXT_MAX];
	json_t *v;

	addr_format(&d->local, from, sizeof from);
	v = json_pack("{s:s, s:s, s:s}", "ev", ev, "ep", d->ep, "from", from);
	return v;
}

static void set_timer(struct dev *d, struct timer *t, uint64_t ms, timer_fn *fn)
{
	if (ms)
		timer_set(loop_timers(d->all->loop), t, clock_now_ms() + ms, fn);
}

/* ---- requests ---- */

/* The token tells the kind and which of that kind, so an answer that comes late is known as such. */
static void put_token(struct dev *d, enum dev_kind kind, struct end_out *out)
{
	uint16_t n = ++d->sequence[kind];

	out->token_len = 4;
	out->token[0] = (uint8_t)kind;
	out->token[1] = (uint8_t)(n >> 8);
	out->token[2] = (uint8_t)n;
	out->token[3] = (uint8_t)d->index;
}

static int send_kind(struct dev *d, enum dev_kind kind, struct end_out *out, json_t *id)
{
	put_token(d, kind, out);
	json_decref(d->id[kind]);
	d->id[kind] = json_incref(id);
	d->all->sent++;
	return end_send(d->end, d->session, out) ? -EIO : CONSOLE_LATER;
}

static void on_register_due(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	dev_register(container_of(t, struct dev, due));
}

static void object_links(const struct dev *d, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "</>;ct=\"0 110 112 11542\",</1/0>,</3/0>");

	for (int i = 0; i < 32 && at < size; i++) {
		if (d->instances >> i & 1)
			at += (size_t)snprintf(buf + at, size - at, ",</3303/%d>", i);
	}
}

static const char *rd_path(const struct dev *d, char *buf, size_t size)
{
	snprintf(buf, size, "%s/rd", d->all->opts.path_prefix ? d->all->opts.path_prefix : "");
	return buf;
}

void dev_register(struct dev *d)
{
	struct end_out out = end_out(COAP_MESSAGE_CON, COAP_REQUEST_CODE_POST);
	const struct devs_opts *o = &d->all->opts;
	char query[512], links[512], path[128];

	snprintf(query, sizeof query, "ep=%s&lt=%llu&lwm2m=%s&b=%s%s", d->ep, (unsigned long long)o->lifetime_s,
		 o->lwm2m, o->binding, o->queue ? "&Q" : "");
	object_links(d, links, sizeof links);
	out.path = rd_path(d, path, sizeof path);
	out.query = query;
	out.content_format = 40;
	out.payload = links;
	out.len = strlen(links);
	d->state = DEV_REGISTERING;
	while (d->observations) /* a new registration voids them */
		dev_forget_observation(d, d->observations);
	send_kind(d, DEV_K_REGISTER, &out, d->id[DEV_K_REGISTER]);
}

static void on_update_due(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	dev_update(container_of(t, struct dev, due), NULL, NULL);
}

int dev_update(struct dev *d, const char *query, json_t *id)
{
	struct end_out out = end_out(COAP_MESSAGE_CON, COAP_REQUEST_CODE_POST);

	if (!d->location)
		return -ENOTCONN;
	out.path = d->location;
	out.query = query;
	return send_kind(d, DEV_K_UPDATE, &out, id);
}

int dev_deregister(struct dev *d, json_t *id)
{
	struct end_out out = end_out(COAP_MESSAGE_CON, COAP_REQUEST_CODE_DELETE);

	if (!d->location)
		return -ENOTCONN;
	timer_cancel(loop_timers(d->all->loop), &d->due);
	timer_cancel(loop_timers(d->all->loop), &d->notify_due);
	timer_cancel(loop_timers(d->all->loop), &d->send_due);
	out.path = d->location;
	return send_kind(d, DEV_K_DEREGISTER, &out, id);
}

int dev_send_data(struct dev *d, const struct dev_path *paths, size_t n, int32_t format, json_t *id)
{
	struct end_out out = end_out(COAP_MESSAGE_CON, COAP_REQUEST_CODE_POST);
	uint8_t *body = malloc(DEV_BODY_MAX);
	long len = body ? dev_encode(d, paths, n, format, body, DEV_BODY_MAX) : -ENOMEM;
	char path[128];
	int err;

	if (len < 0) {
		free(body);
		return (int)len;
	}
	snprintf(path, sizeof path, "%s/dp", d->all->opts.path_prefix ? d->all->opts.path_prefix : "");
	out.path = path;
	out.content_format = format;
	out.payload = body;
	out.len = (size_t)len;
	err = send_kind(d, DEV_K_SEND, &out, id);
	free(body);
	return err;
}

int dev_raw(struct dev *d, struct end_out *out, json_t *id)
{
	if (!out->token_len)
		return send_kind(d, DEV_K_RAW, out, id);
	json_decref(d->id[DEV_K_RAW]);
	d->id[DEV_K_RAW] = json_incref(id);
	return end_send(d->end, d->session, out) ? -EIO : CONSOLE_LATER;
}

/* ---- regular work ---- */

static void on_notify_due(struct timer *t, uint64_t now_ms)
{
	struct dev *d = container_of(t, struct dev, notify_due);

	(void)now_ms;
	dev_walk(d);
	dev_notify(d, NULL, -1);
	set_timer(d, t, d->all->opts.notify_ms, on_notify_due);
}

static void on_send_due(struct timer *t, uint64_t now_ms)
{
	static const struct dev_path paths[] = { { 3303, 0, 5700, DEV_ANY } };
	struct dev *d = container_of(t, struct dev, send_due);

	(void)now_ms;
	dev_walk(d);
	dev_send_data(d, paths, 1, (int32_t)(d->all->opts.format == 112 ? 112 : 110), NULL);
	set_timer(d, t, d->all->opts.send_s * 1000, on_send_due);
}

static uint64_t update_ms(const struct dev *d)
{
	const struct devs_opts *o = &d->all->opts;

	return (o->update_s ? o->update_s : o->lifetime_s * 9 / 10) * 1000;
}

static void start_work(struct dev *d)
{
	const struct devs_opts *o = &d->all->opts;

	set_timer(d, &d->due, update_ms(d), on_update_due);
	/* Spread by chance, so that a fleet does not speak at once. */
	if (o->notify_ms)
		set_timer(d, &d->notify_due, 1 + random_below((uint32_t)o->notify_ms), on_notify_due);
	if (o->send_s)
		set_timer(d, &d->send_due, 1 + random_below((uint32_t)o->send_s * 1000), on_send_due);
}

/* ---- notifications ---- */

void dev_forget_observation(struct dev *d, struct dev_observation *o)
{
	for (struct dev_observation **at = &d->observations; *at; at = &(*at)->next) {
		if (*at == o) {
			*at = o->next;
			break;
		}
	}
	free(o->path);
	free(o->paths);
	free(o);
}

static void notify_one(struct dev *d, struct dev_observation *o, uint8_t type)
{
	struct end_out out = end_out(type, COAP_RESPONSE_CODE_CONTENT);
	uint8_t *body = malloc(DEV_BODY_MAX);
	long len = body ? dev_encode(d, o->paths, o->paths_n, o->format, body, DEV_BODY_MAX) : -ENOMEM;
	json_t *ev;

	if (len < 0) {
		out.code = COAP_RESPONSE_CODE_NOT_FOUND; /* what was observed is gone: RFC 7641 3.2 */
		len = 0;
	} else {
		out.observe = (int32_t)(o->number++ & 0xffffff);
		out.content_format = o->format;
	}
	out.token_len = o->token_len;
	memcpy(out.token, o->token, sizeof out.token);
	out.payload = body;
	out.len = (size_t)len;
	end_send(d->end, d->session, &out);
	d->all->notified++;
	ev = event(d, "notified");
	json_object_set_new(ev, "path", json_string(o->path));
	json_object_set_new(ev, "observe", json_integer(out.observe));
	json_object_set_new(ev, "type", json_string(end_type_text(type)));
	json_object_set_new(ev, "payload", json_hex(body, (size_t)len));
	console_event(d->all->console, ev);
	free(body);
}

void dev_notify(struct dev *d, const char *path, int type)
{
	if (type < 0)
		type = d->all->opts.notify_type ? COAP_MESSAGE_CON : COAP_MESSAGE_NON;
	for (struct dev_observation *o = d->observations, *next; o; o = next) {
		next = o->next;
		if (!path || !strcmp(path, o->path))
			notify_one(d, o, (uint8_t)type);
	}
}

/* ---- answers ---- */

static void tell(struct dev *d, enum dev_kind kind, json_t *ev)
{
	json_t *id = d->id[kind];

	d->id[kind] = NULL;
	if (id)
		console_answer(d->all->console, id, ev);
	else
		console_event(d->all->console, ev);
	json_decref(id);
}

static void retry_register(struct dev *d, uint64_t ms)
{
	d->state = DEV_IDLE;
	timer_cancel(loop_timers(d->all->loop), &d->notify_due);
	timer_cancel(loop_timers(d->all->loop), &d->send_due);
	if (!d->stopped)
		timer_set(loop_timers(d->all->loop), &d->due, clock_now_ms() + ms, on_register_due);
}

static void registered(struct dev *d, const coap_pdu_t *got)
{
	char location[256];
	json_t *ev = event(d, "registered");

	free(d->location);
	d->location = strdup(end_path(got, COAP_OPTION_LOCATION_PATH, location, sizeof location));
	d->state = DEV_REGISTERED;
	d->all->registered++;
	json_object_set_new(ev, "location", json_string(location));
	tell(d, DEV_K_REGISTER, ev);
	start_work(d);
}

static void refused(struct dev *d, enum dev_kind kind, const coap_pdu_t *got)
{
	json_t *ev = event(d, "refused");

	json_object_set_new(ev, "request", json_string(kind_names[kind]));
	end_describe(ev, got);
	d->all->failed++;
	tell(d, kind, ev);
	if (kind == DEV_K_REGISTER)
		retry_register(d, d->all->opts.retry_ms);
	else if (kind == DEV_K_UPDATE && coap_pdu_get_code(got) == COAP_RESPONSE_CODE_NOT_FOUND)
		retry_register(d, 0); /* the registration is gone */
	else if (kind == DEV_K_UPDATE)
		set_timer(d, &d->due, update_ms(d), on_update_due);
}

static void succeeded(struct dev *d, enum dev_kind kind, const coap_pdu_t *got)
{
	static const char *const names[] = { "registered", "updated", "deregistered", "sent", "response" };
	json_t *ev;

	if (kind == DEV_K_REGISTER) {
		registered(d, got);
		return;
	}
	ev = event(d, names[kind]);
	end_describe(ev, got);
	tell(d, kind, ev);
	if (kind == DEV_K_UPDATE) {
		set_timer(d, &d->due, update_ms(d), on_update_due);
	} else if (kind == DEV_K_DEREGISTER) {
		free(d->location);
		d->location = NULL;
		d->state = DEV_GONE;
	}
}

bool dev_on_response(void *arg, coap_session_t *s, const coap_pdu_t *sent, const coap_pdu_t *got)
{
	static const uint8_t wanted[] = { COAP_RESPONSE_CODE_CREATED, COAP_RESPONSE_CODE_CHANGED,
					  COAP_RESPONSE_CODE_DELETED, COAP_RESPONSE_CODE_CHANGED, 0 };
	struct dev *d = coap_session_get_app_data(s);
	coap_bin_const_t token = coap_pdu_get_token(got);
	enum dev_kind kind;

	(void)arg;
	(void)sent;
	if (!d)
		return false;
	d->all->answered++;
	if (token.length != 4 || token.s[0] >= DEV_K_RAW) { /* a raw request's token may be anything */
		if (!d->id[DEV_K_RAW])
			return token.length == 4 && token.s[0] == DEV_K_RAW;
		succeeded(d, DEV_K_RAW, got);
		return true;
	}
	kind = (enum dev_kind)token.s[0];
	if ((token.s[1] << 8 | token.s[2]) != d->sequence[kind])
		return true; /* of an older request of the kind: told already as failed */
	if (coap_pdu_get_code(got) == (coap_pdu_code_t)wanted[kind])
		succeeded(d, kind, got);
	else
		refused(d, kind, got);
	return true;
}

static struct dev_observation *observation_of(struct dev *d, coap_bin_const_t token)
{
	for (struct dev_observation *o = d->observations; o; o = o->next) {
		if (o->token_len == token.length && !memcmp(o->token, token.s, token.length))
			return o;
	}
	return NULL;
}

void dev_on_failed(void *arg, coap_session_t *s, const coap_pdu_t *sent, const char *why)
{
	struct dev *d = coap_session_get_app_data(s);
	coap_bin_const_t token = coap_pdu_get_token(sent);
	struct dev_observation *o;
	enum dev_kind kind;
	json_t *ev;

	(void)arg;
	if (!d || !strcmp(why, "unreachable"))
		return;
	if (coap_pdu_get_code(sent) >= 64) {
		o = observation_of(d, token);
		ev = event(d, "cancelled");
		json_object_set_new(ev, "path", json_string(o ? o->path : ""));
		json_object_set_new(ev, "why", json_string(why));
		console_event(d->all->console, ev);
		if (o)
			dev_forget_observation(d, o);
		return;
	}
	kind = token.length == 4 && token.s[0] < DEV_K_RAW ? (enum dev_kind)token.s[0] : DEV_K_RAW;
	ev = event(d, "failed");
	json_object_set_new(ev, "request", json_string(kind_names[kind]));
	json_object_set_new(ev, "why", json_string(why));
	d->all->failed++;
	tell(d, kind, ev);
	if (kind == DEV_K_REGISTER || kind == DEV_K_UPDATE)
		retry_register(d, d->all->opts.retry_ms);
}

void dev_free(struct dev *d)
{
	struct timers *ts = loop_timers(d->all->loop);

	timer_cancel(ts, &d->due);
	timer_cancel(ts, &d->notify_due);
	timer_cancel(ts, &d->send_due);
	while (d->observations)
		dev_forget_observation(d, d->observations);
	dev_stored_free(d);
	if (d->session) {
		coap_session_set_app_data(d->session, NULL);
		coap_session_release(d->session);
	}
	for (size_t i = 0; i < DEV_K_COUNT; i++)
		json_decref(d->id[i]);
	free(d->ep);
	free(d->location);
	free(d->block);
	free(d->block_path);
}
