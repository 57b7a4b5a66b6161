/* SPDX-License-Identifier: Apache-2.0 */
/* scef_verbs.c - the commands of the simulated SCEF */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/scef.h"

static const char *who(const json_t *cmd)
{
	return cmd_text(cmd, "external_id", cmd_text(cmd, "msisdn", ""));
}

static struct scef_user *user_named(struct scef *s, const json_t *cmd, json_t *reply)
{
	struct scef_user *u = scef_user_find(s, who(cmd));

	if (!u)
		reply_error(reply, -ENOENT, "no such user");
	return u;
}

static int do_uplink(void *arg, json_t *cmd, json_t *reply)
{
	const char *id = who(cmd);
	struct scef_user *u = scef_user(arg, strchr(id, '@') ? id : NULL, strchr(id, '@') ? NULL : id);
	uint8_t *data = NULL;
	size_t len = 0;
	int err = cmd_hex(cmd, "data", &data, &len);

	if (err && err != -ENOENT)
		return reply_error(reply, err, "data is not hexadecimal");
	if (u)
		scef_uplink(u, data, len, json_object_get(cmd, "id"));
	free(data);
	return u ? CONSOLE_LATER : -ENOMEM;
}

/* Any body to the callback of a user, or to a URL: text as it is, or JSON. */
static int do_notify(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;
	struct scef_user *u = *who(cmd) ? user_named(s, cmd, reply) : NULL;
	const char *url = cmd_text(cmd, "url", u && u->config ? scef_destination(s, u->config) : NULL);
	const char *type = cmd_text(cmd, "content_type", NULL);
	json_t *body = json_object_get(cmd, "body");
	struct scef_notice *n;

	if (!url || !body)
		return reply_error(reply, -EINVAL, "a user with a configuration, or url, and body are wanted");
	n = scef_notice_new(s, "raw", u, url);
	if (!n)
		return -ENOMEM;
	n->id = json_incref(json_object_get(cmd, "id"));
	n->headers = json_incref(json_object_get(cmd, "headers"));
	n->at_once = cmd_bool(cmd, "at_once", true);
	if (type) {
		free(n->content_type);
		n->content_type = strdup(type);
	}
	if (json_is_string(body))
		n->text = strdup(json_string_value(body));
	scef_notify(n, json_is_string(body) ? NULL : json_incref(body));
	return CONSOLE_LATER;
}

static int do_status(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;
	struct scef_user *u = user_named(s, cmd, reply);

	if (!u || !u->config)
		return reply_error(reply, -ENOENT, "the user has no configuration");
	scef_notify_status(u, cmd_text(cmd, "status", "TERMINATED"), json_object_get(cmd, "id"));
	if (cmd_bool(cmd, "forget", !strncmp(cmd_text(cmd, "status", "TERMINATED"), "TERMINATED", 10)))
		scef_config_free(s, u->config);
	return CONSOLE_LATER;
}

static int do_delivery_status(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;
	struct scef_user *u = user_named(s, cmd, reply);
	const char *state = cmd_text(cmd, "status", "SUCCESS"), *id = cmd_text(cmd, "delivery", NULL);
	char path[320], *link;

	if (!u || !u->config)
		return reply_error(reply, -ENOENT, "the user has no configuration");
	if (!id) {
		json_object_set_new(reply, "flushed",
				    json_integer((json_int_t)scef_flush(u, state, !strncmp(state, "SUCCESS", 7))));
		return 0;
	}
	snprintf(path, sizeof path, "/%s/configurations/%s/downlink-data-deliveries/%s", u->config->scs_as_id,
		 u->config->id, id);
	link = scef_link(s, path);
	scef_notify_delivery(u, link, state, NULL, json_object_get(cmd, "id"));
	free(link);
	return CONSOLE_LATER;
}

static void each_user(struct scef *s, void (*fn)(struct scef_user *u, void *arg), void *arg)
{
	struct map_node *n = NULL;
	size_t i = 0;

	while ((n = map_next(&s->by_external_id, &i, n)))
		fn(container_of(n, struct scef_user, by_external_id), arg);
	for (i = 0, n = NULL; (n = map_next(&s->by_msisdn, &i, n));) {
		struct scef_user *u = container_of(n, struct scef_user, by_msisdn);

		if (!u->external_id)
			fn(u, arg);
	}
}

struct flush {
	const char *state;
	size_t n;
};

static void flush_user(struct scef_user *u, void *arg)
{
	struct flush *f = arg;

	f->n += scef_flush(u, f->state, true);
}

static int do_flush(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;
	struct flush f = { cmd_text(cmd, "status", s->opts.success), 0 };
	struct scef_user *u = NULL;

	if (*who(cmd)) {
		u = user_named(s, cmd, reply);
		if (!u)
			return -ENOENT;
		flush_user(u, &f);
	} else {
		each_user(s, flush_user, &f);
	}
	json_object_set_new(reply, "flushed", json_integer((json_int_t)f.n));
	return 0;
}

static int do_buffering(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;

	(void)reply;
	s->opts.buffering = cmd_bool(cmd, "on", true);
	return 0;
}

static int do_sleep(void *arg, json_t *cmd, json_t *reply)
{
	struct scef_user *u = user_named(arg, cmd, reply);

	if (!u)
		return -ENOENT;
	u->asleep = cmd_bool(cmd, "on", true);
	u->asleep_hold = u->asleep && cmd_bool(cmd, "hold", false);
	return 0;
}

static void forget_all(struct scef *s)
{
	struct map_node *n, *next;
	size_t i = 0;

	for (i = 0, n = map_next(&s->configs, &i, NULL); n; n = next) {
		next = map_next(&s->configs, &i, n);
		scef_config_free(s, container_of(n, struct scef_config, by_id));
	}
}

static int do_restart(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;

	(void)cmd;
	(void)reply;
	forget_all(s);
	scef_tokens_free(s);
	return 0;
}

static int do_forget(void *arg, json_t *cmd, json_t *reply)
{
	struct scef_user *u = user_named(arg, cmd, reply);

	if (!u || !u->config)
		return reply_error(reply, -ENOENT, "the user has no configuration");
	scef_config_free(arg, u->config);
	return 0;
}

static int do_expire(void *arg, json_t *cmd, json_t *reply)
{
	(void)cmd;
	(void)reply;
	scef_tokens_free(arg);
	return 0;
}

static int do_fault(void *arg, json_t *cmd, json_t *reply)
{
	return scef_fault_add(arg, cmd, reply);
}

static int do_normal(void *arg, json_t *cmd, json_t *reply)
{
	(void)cmd;
	(void)reply;
	scef_faults_free(arg);
	return 0;
}

static int do_radio(void *arg, json_t *cmd, json_t *reply)
{
	return scef_radio_command(arg, cmd, reply);
}

static int do_away(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;

	(void)reply;
	if (cmd_bool(cmd, "on", true)) {
		http_server_close(s->server);
		s->server = NULL;
		return 0;
	}
	return s->server ? 0 : scef_listen(s);
}

/* Configurations that somebody made before: "external_id" with count gives one name per number in place of {n}. */
static int do_preload(void *arg, json_t *cmd, json_t *reply)
{
	const char *pattern = who(cmd), *mark = strstr(pattern, "{n}"), *scs_as_id = cmd_text(cmd, "scs_as_id", "gw");
	int64_t count = cmd_int(cmd, "count", 1);
	struct scef *s = arg;
	char id[256];

	for (int64_t i = 1; i <= count; i++) {
		struct scef_config *c = NULL;
		struct scef_user *u;
		json_t *body;

		if (mark)
			snprintf(id, sizeof id, "%.*s%lld%s", (int)(mark - pattern), pattern, (long long)i, mark + 3);
		else
			snprintf(id, sizeof id, "%s", pattern);
		u = scef_user(s, strchr(id, '@') ? id : NULL, strchr(id, '@') ? NULL : id);
		body = json_pack("{s:s, s:s}", strchr(id, '@') ? "externalId" : "msisdn", id, "notificationDestination",
				 cmd_text(cmd, "destination", "http://127.0.0.1:9/old"));
		json_object_update(body, json_object_get(cmd, "members"));
		if (u)
			c = scef_config_new(s, scs_as_id, u, body);
		json_decref(body);
		if (!c)
			return -ENOMEM;
		json_object_set_new(reply, "config", json_string(c->id));
	}
	return 0;
}

static int do_list(void *arg, json_t *cmd, json_t *reply)
{
	json_t *list = json_array();
	struct map_node *n = NULL;
	struct scef *s = arg;
	size_t i = 0;

	(void)cmd;
	while ((n = map_next(&s->configs, &i, n))) {
		struct scef_config *c = container_of(n, struct scef_config, by_id);
		char where[ADDR_TEXT_MAX] = "";
		size_t waiting = 0;

		for (const struct scef_delivery *d = c->user->pending; d; d = d->next)
			waiting++;
		if (c->user->has_addr)
			addr_format(&c->user->addr, where, sizeof where);
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s, s:I, s:O}", "config", c->id, "scs_as_id",
						c->scs_as_id, "external_id", scef_user_name(c->user), "addr", where,
						"pending", (json_int_t)waiting, "body", c->body));
	}
	json_object_set_new(reply, "configurations", list);
	return 0;
}

static int do_count(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;

	(void)cmd;
	json_object_set_new(reply, "configurations", json_integer((json_int_t)s->configs.count));
	json_object_set_new(reply, "users", json_integer((json_int_t)s->by_external_id.count));
	json_object_set_new(reply, "requests", json_integer((json_int_t)s->requests));
	json_object_set_new(reply, "connections", json_integer(s->server ? http_server_connections(s->server) : 0));
	return 0;
}

static int do_set(void *arg, json_t *cmd, json_t *reply)
{
	struct scef *s = arg;

	return cmd_set_options(cmd, reply, &s->opts, scef_items);
}

const struct console_verb scef_verbs[] = {
	{ "uplink", "external_id data",
	  "a unit (hex) of this user, as if from the radio; answered when the notification is", do_uplink },
	{ "notify", "external_id body",
	  "any body (JSON or text) to the user's callback or to url; headers, content_type; at_once=off keeps the "
	  "user's order",
	  do_notify },
	{ "status", "external_id status",
	  "configuration status notification; TERMINATED.. forgets the configuration unless forget=off", do_status },
	{ "delivery-status", "external_id status delivery",
	  "delivery status notification of one id, or of all that wait", do_delivery_status },
	{ "buffering", "on", "on: deliveries are kept; off", do_buffering },
	{ "flush", "external_id status", "sends what waits, of one user or of all, and notifies the status", do_flush },
	{ "sleep", "external_id on", "the user does not listen until its next uplink; hold=on: nor then", do_sleep },
	{ "fault", "on status",
	  "from now on: on (operation or any), external_id, times, skip; status, body (JSON or text), content_type, "
	  "cause, retry_s, "
	  "retry_time, headers ({root} and {path} stand for the api_root and the path asked for), merge (members into "
	  "the normal answer, null removes), "
	  "delay_ms, lost, "
	  "process, radio, pending (a DeliveryStatus), omit_location",
	  do_fault },
	{ "normal", "", "takes all faults back", do_normal },
	{ "radio", "", "counts of the next units: drop_up drop_down dup_up dup_down swap_up", do_radio },
	{ "restart", "", "forgets all configurations, deliveries and tokens", do_restart },
	{ "forget", "external_id", "forgets the configuration of one user without a word", do_forget },
	{ "expire", "", "all tokens end", do_expire },
	{ "away", "on", "on: the API's port is closed; off: open again", do_away },
	{ "preload", "external_id destination",
	  "configurations that are there already; count with {n} in the name, scs_as_id, members", do_preload },
	{ "list", "", "the configurations", do_list },
	{ "count", "", "how many configurations, users, requests", do_count },
	{ "set", "", "changes live options: NAME=VALUE ..", do_set },
	{ NULL, NULL, NULL, NULL },
};
