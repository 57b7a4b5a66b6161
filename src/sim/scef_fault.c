/* SPDX-License-Identifier: Apache-2.0 */
/* scef_fault.c - answers that go wrong on purpose, by rules given while running */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/scef.h"

struct scef_fault {
	struct scef_fault *next;
	json_t *rule; /* owned: the command as it was given */
	uint64_t skip, times;
};

static bool op_known(const char *on)
{
	for (size_t i = 0; i < SCEF_OP_COUNT; i++) {
		if (!strcmp(scef_op_names[i], on))
			return true;
	}
	return !strcmp(on, "any");
}

int scef_fault_add(struct scef *s, const json_t *cmd, json_t *reply)
{
	struct scef_fault *f = calloc(1, sizeof *f), **end = &s->faults;
	int64_t times = cmd_int(cmd, "times", -1);

	if (!f || !op_known(cmd_text(cmd, "on", "any"))) {
		free(f);
		return reply_error(reply, -EINVAL,
				   "on: list create get patch delete delivery delivery-list delivery-get delivery-put "
				   "delivery-patch delivery-delete port-list port-get port-put port-delete token any");
	}
	f->rule = json_deep_copy(cmd);
	f->skip = (uint64_t)cmd_int(cmd, "skip", 0);
	f->times = times < 0 ? UINT64_MAX : (uint64_t)times;
	while (*end)
		end = &(*end)->next;
	*end = f;
	return f->rule ? 0 : -ENOMEM;
}

void scef_faults_free(struct scef *s)
{
	while (s->faults) {
		struct scef_fault *f = s->faults;

		s->faults = f->next;
		json_decref(f->rule);
		free(f);
	}
}

char *scef_expand(const struct scef_exchange *x, const char *text)
{
	size_t size = strlen(text) * (strlen(x->scef->root) + strlen(x->path) + 1) +
		1; /* whatever is in the place of each octet */
	char *out = malloc(size), *to = out;

	while (out && *text) {
		const char *with = !strncmp(text, "{root}", 6) ? x->scef->root
			: !strncmp(text, "{path}", 6)          ? x->path
							       : NULL;

		if (with) {
			to = stpcpy(to, with);
			text += 6;
		} else {
			*to++ = *text++;
		}
	}
	if (out)
		*to = '\0';
	return out;
}

/* The first rule that is meant and not used up. */
static json_t *match(struct scef_exchange *x)
{
	for (struct scef_fault *f = x->scef->faults; f; f = f->next) {
		const char *on = cmd_text(f->rule, "on", "any"), *who = cmd_text(f->rule, "external_id", NULL);

		if (!f->times || (strcmp(on, "any") && strcmp(on, scef_op_names[x->op])) ||
		    (who && (!x->user || strcmp(scef_user_name(x->user), who))))
			continue;
		if (f->skip) {
			f->skip--;
			continue;
		}
		if (f->times != UINT64_MAX)
			f->times--;
		return f->rule;
	}
	return NULL;
}

static void put_headers(struct scef_exchange *x, const json_t *rule)
{
	const char *name;
	json_t *v;

	json_object_foreach(json_object_get(rule, "headers"), name, v)
	{
		char *text = json_is_string(v) ? scef_expand(x, json_string_value(v)) : NULL;

		if (!text)
			continue;
		if (!x->headers)
			x->headers = json_object();
		json_object_set_new(x->headers, name, json_string(text));
		free(text);
	}
}

/* "cause" (and "retry_s" or "retry_time") without a body: the typed failure of deliveries, a flat problem elsewhere. */
static json_t *made_body(const struct scef_exchange *x, const json_t *rule, int status)
{
	const char *cause = cmd_text(rule, "cause", NULL), *time = cmd_text(rule, "retry_time", NULL);
	bool nested = status == 500 && x->op >= SCEF_DELIVERY && x->op <= SCEF_DELIVERY_DELETE;
	json_t *problem = json_pack("{s:i}", "status", status), *v;
	char text[40];

	if (cause)
		json_object_set_new(problem, "cause", json_string(cause));
	if (!nested)
		return problem;
	v = json_pack("{s:o}", "problemDetail", problem);
	if (!time && cmd_has(rule, "retry_s")) {
		clock_format(text, sizeof text, clock_wall_ms() + (uint64_t)(cmd_int(rule, "retry_s", 0) * 1000));
		time = text;
	}
	if (time)
		json_object_set_new(v, "requestedRetransmissionTime", json_string(time));
	return v;
}

static void put_body(struct scef_exchange *x, const json_t *rule, int status)
{
	json_t *body = json_object_get(rule, "body");
	const char *type = cmd_text(rule, "content_type", NULL);

	json_decref(x->answer);
	x->answer = NULL;
	free(x->raw);
	x->raw = NULL;
	snprintf(x->content_type, sizeof x->content_type, "application/json");
	if (json_is_string(body)) {
		x->raw = strdup(json_string_value(body));
		snprintf(x->content_type, sizeof x->content_type, "text/html");
	} else if (json_is_object(body) || json_is_array(body)) {
		x->answer = json_incref(body);
	} else if (status >= 400 && !json_is_null(body)) {
		x->answer = made_body(x, rule, status);
		if (!json_object_get(x->answer, "problemDetail"))
			snprintf(x->content_type, sizeof x->content_type, "application/problem+json");
	}
	if (type)
		snprintf(x->content_type, sizeof x->content_type, "%s", type);
}

bool scef_fault_before(struct scef_exchange *x)
{
	json_t *rule = match(x);
	int status = rule ? (int)cmd_int(rule, "status", 0) : 0;

	if (!rule)
		return false;
	x->faulty = true;
	x->delay_ms = (uint64_t)cmd_int(rule, "delay_ms", 0);
	x->lost = cmd_bool(rule, "lost", false);
	x->pending = cmd_text(rule, "pending", "");
	x->no_radio = !cmd_bool(rule, "radio", true);
	put_headers(x, rule);
	/* What is refused is not processed, unless the rule says so; a changed success is. */
	if (cmd_bool(rule, "process", !status || status < 300)) {
		x->fault = rule;
		return false;
	}
	x->status = status;
	put_body(x, rule, status);
	return true;
}

void scef_fault_after(struct scef_exchange *x)
{
	int status = x->fault ? (int)cmd_int(x->fault, "status", 0) : 0;
	json_t *merge = json_object_get(x->fault, "merge");
	const char *name;
	json_t *v;

	if (status) {
		x->status = status;
		if (cmd_has(x->fault, "body") || status >= 300)
			put_body(x, x->fault, status);
	} else if (cmd_has(x->fault, "body")) {
		put_body(x, x->fault, x->status);
	}
	if (merge && x->answer) {
		json_t *copy = json_copy(x->answer);

		json_decref(x->answer);
		x->answer = copy;
		json_object_foreach(merge, name, v)
		{
			if (json_is_null(v))
				json_object_del(copy, name);
			else
				json_object_set(copy, name, v);
		}
	}
	if (x->fault && cmd_bool(x->fault, "omit_location", false)) {
		free(x->location);
		x->location = NULL;
	}
}
