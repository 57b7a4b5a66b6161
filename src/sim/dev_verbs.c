/* SPDX-License-Identifier: Apache-2.0 */
/* dev_verbs.c - the commands of simulated devices; EP "*" or absent means every device where that makes sense */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/dev.h"

static struct dev *named(struct devs *all, const json_t *cmd, json_t *reply)
{
	const char *ep = cmd_text(cmd, "ep", all->n == 1 ? all->list[0].ep : "");

	for (size_t i = 0; i < all->n; i++) {
		if (!strcmp(all->list[i].ep, ep))
			return &all->list[i];
	}
	reply_error(reply, -ENOENT, "no such device");
	return NULL;
}

static bool everybody(const json_t *cmd)
{
	return !strcmp(cmd_text(cmd, "ep", ""), "*");
}

/* Runs fn for the device named, with the command's id, or for all of them without. */
static int for_devices(struct devs *all, json_t *cmd, json_t *reply, int (*fn)(struct dev *d, json_t *cmd, json_t *id))
{
	struct dev *d;

	if (everybody(cmd)) {
		for (size_t i = 0; i < all->n; i++)
			fn(&all->list[i], cmd, NULL);
		json_object_set_new(reply, "devices", json_integer((json_int_t)all->n));
		return 0;
	}
	d = named(all, cmd, reply);
	return d ? fn(d, cmd, json_object_get(cmd, "id")) : -ENOENT;
}

static int register_one(struct dev *d, json_t *cmd, json_t *id)
{
	(void)cmd;
	d->stopped = false;
	json_decref(d->id[DEV_K_REGISTER]);
	d->id[DEV_K_REGISTER] = json_incref(id);
	timer_cancel(loop_timers(d->all->loop), &d->due);
	dev_register(d);
	return CONSOLE_LATER;
}

static int do_register(void *arg, json_t *cmd, json_t *reply)
{
	return for_devices(arg, cmd, reply, register_one);
}

static int update_one(struct dev *d, json_t *cmd, json_t *id)
{
	return dev_update(d, cmd_text(cmd, "query", NULL), id);
}

static int do_update(void *arg, json_t *cmd, json_t *reply)
{
	return for_devices(arg, cmd, reply, update_one);
}

static int deregister_one(struct dev *d, json_t *cmd, json_t *id)
{
	(void)cmd;
	return dev_deregister(d, id);
}

static int do_deregister(void *arg, json_t *cmd, json_t *reply)
{
	return for_devices(arg, cmd, reply, deregister_one);
}

static int notify_one(struct dev *d, json_t *cmd, json_t *id)
{
	const char *type = cmd_text(cmd, "type", NULL);

	(void)id;
	dev_notify(d, cmd_text(cmd, "path", NULL),
		   !type                              ? -1
			   : !strcasecmp(type, "con") ? COAP_MESSAGE_CON
						      : COAP_MESSAGE_NON);
	return 0;
}

static int do_notify(void *arg, json_t *cmd, json_t *reply)
{
	return for_devices(arg, cmd, reply, notify_one);
}

/* Put a value, even of a resource that a server may not write, and notify who observes it. */
static int set_one(struct dev *d, json_t *cmd, json_t *id)
{
	const char *text = cmd_text(cmd, "value", NULL);
	char path[32], number[40];
	struct dev_value v;
	struct dev_path p;
	uint8_t *room;
	int err;

	(void)id;
	if (!text) {
		json_t *n = json_object_get(cmd, "value");

		snprintf(number, sizeof number, json_is_integer(n) ? "%.0f" : "%.10g",
			 json_is_boolean(n) ? (double)json_is_true(n) : json_number_value(n));
		text = number;
	}
	if (dev_path_parse(&p, cmd_text(cmd, "path", "/")))
		return -EBADMSG;
	room = malloc(strlen(text) + 1);
	err = room ? dev_value_of_text(&p, text, strlen(text), &v, room) : -ENOMEM;
	if (!err)
		err = dev_set(d, &p, &v);
	free(room);
	if (!err && cmd_bool(cmd, "notify", true))
		dev_notify(d, dev_path_text(&p, path), -1);
	return err;
}

static int do_set(void *arg, json_t *cmd, json_t *reply)
{
	return for_devices(arg, cmd, reply, set_one);
}

static int send_one(struct dev *d, json_t *cmd, json_t *id)
{
	const char *text = cmd_text(cmd, "paths", "/3303/0/5700");
	struct dev_path paths[32];
	char one[64];
	size_t n = 0;

	for (; *text && n < 32; text += strspn(text, ", ")) {
		size_t len = strcspn(text, ", ");

		snprintf(one, sizeof one, "%.*s", (int)len, text);
		if (dev_path_parse(&paths[n++], one))
			return -EBADMSG;
		text += len;
	}
	return dev_send_data(d, paths, n, (int32_t)cmd_int(cmd, "format", 110), id);
}

static int do_send(void *arg, json_t *cmd, json_t *reply)
{
	return for_devices(arg, cmd, reply, send_one);
}

static int stop_one(struct dev *d, json_t *cmd, json_t *id)
{
	struct timers *ts = loop_timers(d->all->loop);

	(void)cmd;
	(void)id;
	d->stopped = true;
	timer_cancel(ts, &d->due);
	timer_cancel(ts, &d->notify_due);
	timer_cancel(ts, &d->send_due);
	end_deaf(&d->local, true);
	return 0;
}

static int do_stop(void *arg, json_t *cmd, json_t *reply)
{
	return for_devices(arg, cmd, reply, stop_one);
}

static int deaf_one(struct dev *d, json_t *cmd, json_t *id)
{
	(void)id;
	d->stopped = false;
	end_deaf(&d->local, cmd_bool(cmd, "on", true));
	return 0;
}

static int do_deaf(void *arg, json_t *cmd, json_t *reply)
{
	return for_devices(arg, cmd, reply, deaf_one);
}

static int do_raw(void *arg, json_t *cmd, json_t *reply)
{
	int code = end_code_parse(cmd_text(cmd, "code", "GET"));
	struct end_out out = end_out(!strcasecmp(cmd_text(cmd, "type", "con"), "non") ? COAP_MESSAGE_NON
										      : COAP_MESSAGE_CON,
				     (uint8_t)(code < 0 ? 0 : code));
	struct dev *d = named(arg, cmd, reply);
	uint8_t *body = NULL, *token = NULL;
	size_t len = 0;
	int err;

	if (!d || code < 0)
		return d ? reply_error(reply, -EINVAL, "the code is not well") : -ENOENT;
	out.path = cmd_text(cmd, "path", NULL);
	out.query = cmd_text(cmd, "query", NULL);
	out.mid = (int32_t)cmd_int(cmd, "mid", -1);
	out.content_format = (int32_t)cmd_int(cmd, "format", -1);
	out.accept = (int32_t)cmd_int(cmd, "accept", -1);
	if (!cmd_hex(cmd, "token", &token, &len) && len <= 8) {
		memcpy(out.token, token, len);
		out.token_len = (uint8_t)len;
	}
	if (!cmd_hex(cmd, "payload", &body, &len)) {
		out.payload = body;
		out.len = len;
	}
	err = dev_raw(d, &out, json_object_get(cmd, "id"));
	free(token);
	free(body);
	return err;
}

static int do_answer(void *arg, json_t *cmd, json_t *reply)
{
	const char *code = cmd_text(cmd, "code", NULL), *ep = cmd_text(cmd, "ep", "*");
	int number = code ? end_code_parse(code) : 0;
	int64_t times = cmd_int(cmd, "times", -1);
	struct dev_rule *rule = calloc(1, sizeof *rule);
	struct devs *all = arg;

	if (!rule || number < 0) {
		free(rule);
		return reply_error(reply, -EINVAL, "the code is not well");
	}
	snprintf(rule->ep, sizeof rule->ep, "%s", strcmp(ep, "*") ? ep : "");
	snprintf(rule->path, sizeof rule->path, "%s", cmd_text(cmd, "path", ""));
	rule->code = (uint8_t)number;
	rule->times = times < 0 ? UINT64_MAX : (uint64_t)times;
	rule->delay_ms = (uint32_t)cmd_int(cmd, "delay_ms", 0);
	rule->separate = cmd_bool(cmd, "separate", false);
	rule->silent = cmd_bool(cmd, "silent", false);
	rule->next = all->rules;
	all->rules = rule;
	return 0;
}

static int do_normal(void *arg, json_t *cmd, json_t *reply)
{
	struct devs *all = arg;
	struct dev_rule *rule;

	(void)cmd;
	(void)reply;
	while ((rule = all->rules)) {
		all->rules = rule->next;
		free(rule);
	}
	return 0;
}

static int do_list(void *arg, json_t *cmd, json_t *reply)
{
	static const char *const states[] = { "idle", "registering", "registered", "gone" };
	json_t *list = json_array();
	struct devs *all = arg;

	(void)cmd;
	for (size_t i = 0; i < all->n; i++) {
		const struct dev *d = &all->list[i];
		size_t observations = 0;
		char from[ADDR_TEXT_MAX];

		for (const struct dev_observation *o = d->observations; o; o = o->next)
			observations++;
		addr_format(&d->local, from, sizeof from);
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s?, s:I}", "ep", d->ep, "from", from, "state",
						states[d->state], "location", d->location, "observations",
						(json_int_t)observations));
	}
	json_object_set_new(reply, "list", list);
	return 0;
}

static int do_count(void *arg, json_t *cmd, json_t *reply)
{
	struct devs *all = arg;
	size_t now = 0;

	(void)cmd;
	for (size_t i = 0; i < all->n; i++)
		now += all->list[i].state == DEV_REGISTERED;
	json_object_set_new(reply, "devices", json_integer((json_int_t)all->n));
	json_object_set_new(reply, "registered", json_integer((json_int_t)now));
	json_object_set_new(reply, "registrations", json_integer((json_int_t)all->registered));
	json_object_set_new(reply, "requests", json_integer((json_int_t)all->sent));
	json_object_set_new(reply, "answered", json_integer((json_int_t)all->answered));
	json_object_set_new(reply, "failed", json_integer((json_int_t)all->failed));
	json_object_set_new(reply, "notified", json_integer((json_int_t)all->notified));
	return 0;
}

static int do_option(void *arg, json_t *cmd, json_t *reply)
{
	struct devs *all = arg;

	if (cmd_set_option(&all->opts, devs_items, cmd_text(cmd, "name", ""), json_object_get(cmd, "value")))
		return reply_error(reply, -EINVAL, "no such option, or not a value for it");
	return 0;
}

const struct console_verb devs_verbs[] = {
	{ "register", "ep", "registers, again if need be; ep * means all", do_register },
	{ "update", "ep query", "Update, with lt=.. and the like as query", do_update },
	{ "deregister", "ep", "De-register", do_deregister },
	{ "set", "ep path value", "puts a value and notifies its observations unless notify=off", do_set },
	{ "notify", "ep path type", "notifies observations, of one path or all; type con or non", do_notify },
	{ "send", "ep paths format", "Send of the paths, commas between; format 110 or 112", do_send },
	{ "stop", "ep", "falls silent, hears and answers nothing; register wakes it with deaf off", do_stop },
	{ "deaf", "ep on", "on: hears nothing that arrives; off", do_deaf },
	{ "raw", "ep code path", "any request: type, mid, token (hex), query, format, accept, payload (hex)", do_raw },
	{ "answer", "ep path code", "from now on, * for any; times, delay_ms, separate, silent (empty ACK only)",
	  do_answer },
	{ "normal", "", "takes all answer rules back", do_normal },
	{ "option", "name value", "changes a live option", do_option },
	{ "list", "", "the devices", do_list },
	{ "count", "", "how many are registered, and counters", do_count },
	{ NULL, NULL, NULL, NULL },
};
