/* SPDX-License-Identifier: Apache-2.0 */
/* scef_config.c - NIDD configurations and their RDS ports (TS 29.122 5.6) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/scef.h"

static bool id_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct scef_config *c = container_of(n, const struct scef_config, by_id);

	return strlen(c->id) == len && !memcmp(c->id, key, len);
}

struct scef_config *scef_config_find(struct scef *s, const char *id)
{
	char plain[64];
	struct map_node *n;
	size_t at = 0;

	for (; *id && at + 1 < sizeof plain; id++) { /* a peer may have kept our percent-encoded link */
		unsigned octet;

		if (*id == '%' && sscanf(id + 1, "%2x", &octet) == 1) {
			plain[at++] = (char)octet;
			id += 2;
		} else {
			plain[at++] = *id;
		}
	}
	plain[at] = '\0';
	n = map_find(&s->configs, map_hash(plain, at), id_eq, plain, at);
	return n ? container_of(n, struct scef_config, by_id) : NULL;
}

char *scef_config_self(const struct scef *s, const struct scef_config *c)
{
	char path[256];

	snprintf(path, sizeof path, "/%s/configurations/%s", c->scs_as_id, c->id);
	return scef_link(s, path);
}

void scef_config_free(struct scef *s, struct scef_config *c)
{
	scef_pending_free(c->user, c);
	if (c->user->config == c)
		c->user->config = NULL;
	map_remove(&s->configs, &c->by_id);
	json_decref(c->body);
	json_decref(c->ports);
	free(c->scs_as_id);
	free(c);
}

struct scef_config *scef_config_new(struct scef *s, const char *scs_as_id, struct scef_user *u, json_t *body)
{
	struct scef_config *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->user = u;
	c->scs_as_id = strdup(scs_as_id);
	c->body = json_incref(body);
	snprintf(c->id, sizeof c->id, "%llu", (unsigned long long)(1000 + ++s->ids));
	if (!c->scs_as_id || map_add(&s->configs, &c->by_id, map_hash(c->id, strlen(c->id)))) {
		json_decref(c->body);
		free(c->scs_as_id);
		free(c);
		return NULL;
	}
	u->config = c;
	return c;
}

/* ---- as it is shown ---- */

/* Both hexadecimal: the features that both have. */
static void common_features(const char *a, const char *b, char *out, size_t size)
{
	unsigned long long x = strtoull(a, NULL, 16), y = strtoull(b, NULL, 16);

	snprintf(out, size, "%llx", x & y);
}

static void put_duration(const struct scef *s, json_t *v)
{
	const char *wanted = json_string_value(json_object_get(v, "duration"));
	uint64_t wall_ms, most_ms = clock_wall_ms() + s->opts.max_duration_s * 1000;
	char text[40];

	if (!s->opts.max_duration_s || (wanted && !clock_parse(wanted, &wall_ms) && wall_ms <= most_ms))
		return;
	clock_format(text, sizeof text, most_ms);
	json_object_set_new(v, "duration", json_string(text));
}

static json_t *shown(const struct scef *s, const struct scef_config *c)
{
	json_t *v = json_copy(c->body), *pending = json_array();
	const char *features = json_string_value(json_object_get(v, "supportedFeatures"));
	char *self = scef_config_self(s, c), common[24];

	json_object_set_new(v, "self", json_string(self));
	free(self);
	if (features) {
		common_features(features, s->opts.features, common, sizeof common);
		json_object_set_new(v, "supportedFeatures", json_string(common));
	}
	if (s->opts.max_packet)
		json_object_set_new(v, "maximumPacketSize", json_integer((json_int_t)s->opts.max_packet));
	json_object_set_new(v, "status", json_string("ACTIVE"));
	scef_put_ids(s, c->user, c, v);
	put_duration(s, v);
	json_object_del(v, "niddDownlinkDataTransfers");
	for (const struct scef_delivery *d = c->user->pending; d; d = d->next) {
		if (d->config == c)
			json_array_append_new(pending, scef_delivery_json(s, d));
	}
	if (json_array_size(pending))
		json_object_set(v, "niddDownlinkDataTransfers", pending);
	json_decref(pending);
	return v;
}

/* ---- create ---- */

static bool id_fits(const char *external_id)
{
	const char *at = strchr(external_id, '@');

	return at && at != external_id && at[1] && !strchr(at + 1, '@');
}

static bool check_new(struct scef_exchange *x)
{
	const char *external_id = json_string_value(json_object_get(x->request, "externalId"));
	json_t *group = json_object_get(x->request, "externalGroupId"), *msisdn = json_object_get(x->request, "msisdn");

	if (!json_is_string(json_object_get(x->request, "notificationDestination")))
		scef_invalid(x, "/notificationDestination", "missing");
	else if ((external_id != NULL) + (msisdn != NULL) + (group != NULL) != 1)
		scef_invalid(x, "/externalId", "exactly one of externalId, msisdn, externalGroupId");
	else if (external_id && !id_fits(external_id))
		scef_invalid(x, "/externalId", "not local@domain");
	else if (json_array_size(json_object_get(x->request, "niddDownlinkDataTransfers")) > 1)
		scef_invalid(x, "/niddDownlinkDataTransfers", "at most one");
	else
		return true;
	return false;
}

static bool refuse_second(struct scef_exchange *x, struct scef_user *u)
{
	if (!u->config)
		return false;
	if (!x->scef->opts.exists_status) {
		scef_config_free(x->scef, u->config);
		return false;
	}
	scef_problem(x, (int)x->scef->opts.exists_status, "CONFIGURATION_EXISTS", "the user has a configuration");
	return true;
}

static void created(struct scef_exchange *x, struct scef_config *c)
{
	struct scef *s = x->scef;
	bool test = json_is_true(json_object_get(c->body, "requestTestNotification"));

	x->status = 201;
	x->answer = shown(s, c);
	if (!s->opts.omit_location)
		x->location = scef_config_self(s, c);
	snprintf(x->config_id, sizeof x->config_id, "%s", c->id);
	if (test && s->opts.test == SCEF_TEST_BEFORE) {
		x->held = true; /* until the notification is answered */
		scef_notify_test(s, c, x);
	}
	x->test = test && s->opts.test == SCEF_TEST_AFTER;
	x->made = true;
}

static void create(struct scef_exchange *x)
{
	const char *external_id = json_string_value(json_object_get(x->request, "externalId"));
	const char *msisdn = json_string_value(json_object_get(x->request, "msisdn"));
	json_t *first = json_array_get(json_object_get(x->request, "niddDownlinkDataTransfers"), 0);
	struct scef_config *c;
	struct scef_user *u;
	json_t *body;

	if (!check_new(x))
		return;
	if (!external_id && !msisdn) {
		scef_problem(x, 403, NULL, "no groups here");
		return;
	}
	u = scef_user(x->scef, external_id, msisdn);
	if (!u) {
		scef_problem(x, 500, NULL, NULL);
		return;
	}
	x->user = u;
	if (refuse_second(x, u))
		return;
	body = json_deep_copy(x->request); /* patched later; the request is printed as it came */
	c = scef_config_new(x->scef, x->scs_as_id, u, body);
	json_decref(body);
	if (!c) {
		scef_problem(x, 500, NULL, NULL);
		return;
	}
	if (first)
		scef_deliver_first(x, c, first);
	created(x, c);
}

/* ---- the others ---- */

static void list(struct scef_exchange *x)
{
	struct map_node *n = NULL;
	size_t i = 0;

	x->status = 200;
	x->answer = json_array();
	while ((n = map_next(&x->scef->configs, &i, n))) {
		struct scef_config *c = container_of(n, struct scef_config, by_id);

		if (!strcmp(c->scs_as_id, x->scs_as_id))
			json_array_append_new(x->answer, shown(x->scef, c));
	}
}

/* RFC 7396, one level is all a configuration has but for rdsPorts, which is replaced. */
static void merge(json_t *to, json_t *patch)
{
	const char *name;
	json_t *v;

	json_object_foreach(patch, name, v)
	{
		if (json_is_null(v))
			json_object_del(to, name);
		else
			json_object_set(to, name, v);
	}
}

void scef_config_op(struct scef_exchange *x)
{
	struct scef_config *c = scef_config_find(x->scef, x->config_id);

	if (x->op == SCEF_CREATE) {
		create(x);
		return;
	}
	if (x->op == SCEF_LIST) {
		list(x);
		return;
	}
	if (!c || strcmp(c->scs_as_id, x->scs_as_id)) {
		scef_problem(x, 404, NULL, "there is no such configuration");
		return;
	}
	if (x->op == SCEF_DELETE) {
		x->status = 204;
		scef_config_free(x->scef, c);
		return;
	}
	if (x->op == SCEF_PATCH)
		merge(c->body, x->request);
	x->status = 200;
	x->answer = shown(x->scef, c);
}

/* ---- RDS ports ---- */

static bool port_fits(const char *id)
{
	unsigned ue, ef;
	char rest;

	return sscanf(id, "ue%2u-ef%2u%c", &ue, &ef, &rest) == 2 && ue < 16 && ef < 16;
}

static json_t *port_shown(const struct scef_exchange *x, const struct scef_config *c, const char *id)
{
	json_t *v = json_copy(json_object_get(c->ports, id));
	char path[320], *self;

	snprintf(path, sizeof path, "/%s/configurations/%s/rds-ports/%s", c->scs_as_id, c->id, id);
	self = scef_link(x->scef, path);
	json_object_set_new(v, "self", json_string(self));
	json_object_set_new(v, "manageEntity", json_string("AS"));
	free(self);
	return v;
}

static void port_list(struct scef_exchange *x, struct scef_config *c)
{
	const char *id;
	json_t *v;

	x->status = 200;
	x->answer = json_array();
	json_object_foreach(c->ports, id, v) json_array_append_new(x->answer, port_shown(x, c, id));
}

static void port_put(struct scef_exchange *x, struct scef_config *c)
{
	if (json_object_get(c->ports, x->sub_id)) {
		scef_problem(x, 409, NULL, "the port pair is taken");
		return;
	}
	if (!json_is_string(json_object_get(x->request, "appId"))) {
		scef_invalid(x, "/appId", "missing");
		return;
	}
	if (!c->ports)
		c->ports = json_object();
	json_object_set(c->ports, x->sub_id, x->request);
	x->status = 201;
	x->answer = port_shown(x, c, x->sub_id);
	x->location = strdup(json_string_value(json_object_get(x->answer, "self")));
}

void scef_port_op(struct scef_exchange *x)
{
	struct scef_config *c = scef_config_find(x->scef, x->config_id);

	if (!c || (*x->sub_id && !port_fits(x->sub_id))) {
		scef_problem(x, 404, NULL, "there is no such resource");
	} else if (x->op == SCEF_PORT_LIST) {
		port_list(x, c);
	} else if (x->op == SCEF_PORT_PUT) {
		port_put(x, c);
	} else if (!json_object_get(c->ports, x->sub_id)) {
		scef_problem(x, 404, NULL, "the port pair is not reserved");
	} else if (x->op == SCEF_PORT_DELETE) {
		json_object_del(c->ports, x->sub_id);
		x->status = 204;
	} else {
		x->status = 200;
		x->answer = port_shown(x, c, x->sub_id);
	}
}
