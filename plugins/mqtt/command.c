/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - commands that arrive on topics, and their answers
 *
 * Whether a command is known and allowed, and what becomes of it, the gateway decides. Here is what only MQTT knows:
 * that retained ones are never carried out, and that an answer goes to no other place than below B/response/, whatever
 * the asker names.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "mqtt.h"

enum { ARGS_DEPTH_MAX = 16, TIMEOUT_S_MAX = 86400 };

struct request {
	char device[512], name[TOPIC_LEVEL_SIZE]; /* device "": the gateway */
	json_t *whole;                            /* owned */
	const char *id;                           /* NULL: none that can be used */
	char *args;                               /* owned */
	uint32_t timeout_ms;
};

/* ---- reading ---- */

static long device_of_level(const struct mqtt *p, char *out, size_t size, const char *level, size_t len)
{
	char known[TOPIC_LEVEL_SIZE];
	long n = topic_name(out, size, level, len);

	for (size_t i = 0; n < 0 && i < p->names_n; i++) {
		topic_level(known, p->names[i]);
		if (strlen(known) == len && !memcmp(known, level, len))
			n = snprintf(out, size, "%s", p->names[i]);
	}
	return n;
}

/* B/command/NAME or B/dev/DEVICE/command/NAME. */
static bool read_topic(const struct mqtt *p, struct request *r, const char *topic)
{
	size_t base = strlen(p->base);
	const char *end;

	if (strncmp(topic, p->base, base) || topic[base] != '/')
		return false;
	topic += base + 1;
	if (!strncmp(topic, "dev/", 4)) {
		topic += 4;
		end = strchr(topic, '/');
		if (!end || device_of_level(p, r->device, sizeof r->device, topic, (size_t)(end - topic)) <= 0)
			return false;
		topic = end + 1;
	}
	if (strncmp(topic, "command/", 8) || strchr(topic + 8, '/'))
		return false;
	return topic_name(r->name, sizeof r->name, topic + 8, strlen(topic + 8)) > 0;
}

/* NULL: sound; else what is wrong with it. */
static const char *read_body(struct request *r, const struct broker_message *m)
{
	json_t *id, *args, *timeout;
	double s;

	r->whole = json_loadb(m->payload ? m->payload : "", m->len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(r->whole))
		return "the payload is no JSON object";
	id = json_object_get(r->whole, "id");
	if (!json_is_string(id) || json_string_length(id) > 256 || !json_string_length(id))
		return "id is missing, or no text of 1 to 256 octets";
	r->id = json_string_value(id);
	if (json_integer_value(json_object_get(r->whole, "v")) != 1)
		return "v is not 1";
	timeout = json_object_get(r->whole, "timeout_s");
	s = timeout ? json_number_value(timeout) : 30;
	if ((timeout && !json_is_number(timeout)) || !(s > 0) || s > TIMEOUT_S_MAX)
		return "timeout_s is out of range";
	r->timeout_ms = (uint32_t)(s * 1000);
	args = json_object_get(r->whole, "args");
	if (args && !json_is_object(args))
		return "args is no object";
	r->args = args ? json_dumps(args, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	return args && !r->args ? "args cannot be written" : NULL;
}

static void request_fini(struct request *r)
{
	free(r->args);
	json_decref(r->whole);
}

/* ---- answering ---- */

/* Where the answer goes: what the asker names when it is below B/response/ and names one topic, else the place of the
 * command. */
static const char *answer_topic(const struct mqtt *p, const char *asked, const char *command, char buf[TOPIC_MAX])
{
	size_t base = strlen(p->base);
	char level[TOPIC_LEVEL_SIZE];

	if (asked && strlen(asked) < TOPIC_MAX && !strncmp(asked, p->base, base) &&
	    !strncmp(asked + base, "/response/", 10) && asked[base + 10] && !strpbrk(asked, "+#"))
		return asked;
	snprintf(buf, TOPIC_MAX, "%s/response/%s", p->base, topic_level(level, command));
	return buf;
}

static void refuse(struct mqtt *p, const struct request *r, const struct broker_message *m, const char *code,
		   const char *text)
{
	struct timeval now;
	char ts[32], buf[TOPIC_MAX], *out;
	json_t *o;

	gettimeofday(&now, NULL);
	time_text(ts, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / 1000);
	o = json_pack("{s:i,s:s,s:s*,s:s,s:s*,s:b,s:s,s:{s:s,s:s}}", "v", 1, "ts", ts, "id", r->id, "command", r->name,
		      "device", *r->device ? r->device : NULL, "final", 1, "status", "error", "error", "code", code,
		      "message", text);
	out = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (out)
		(void)publish_answer(p, answer_topic(p, m->response_topic, r->name, buf), m->correlation,
				     m->correlation_len, out);
	free(out);
}

static void pending_free(struct pending *w)
{
	free(w->response_topic);
	free(w->correlation);
	*w = (struct pending){ 0 };
}

static struct pending *pending_of(struct mqtt *p, uint64_t cookie)
{
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		if (p->pending[i].cookie == cookie)
			return &p->pending[i];
	return NULL;
}

static bool remember(struct mqtt *p, struct pending *w, const struct broker_message *m)
{
	if (m->response_topic && !(w->response_topic = strdup(m->response_topic)))
		return false;
	if (m->correlation_len && !(w->correlation = malloc(m->correlation_len)))
		return false;
	if (m->correlation_len)
		memcpy(w->correlation, m->correlation, m->correlation_len);
	w->correlation_len = m->correlation_len;
	w->cookie = ++p->next_cookie;
	return true;
}

static void ask(struct mqtt *p, const struct request *r, const struct broker_message *m)
{
	struct niddgw_command c = { .size = sizeof c,
				    .device = *r->device ? r->device : NULL,
				    .name = r->name,
				    .id = r->id,
				    .args = r->args,
				    .timeout_ms = r->timeout_ms };
	struct pending *w = pending_of(p, 0);
	int err = -EAGAIN;

	if (w && remember(p, w, m)) {
		c.cookie = w->cookie;
		err = niddgw_command(p->host, &c);
	}
	if (!err)
		return;
	if (w)
		pending_free(w);
	refuse(p, r, m, err == -EMSGSIZE ? "too_big" : "busy",
	       err == -EMSGSIZE ? "the command is too long" : "too many commands are under way");
}

void command_came(struct mqtt *p, const struct broker_message *m)
{
	struct request r = { 0 };
	const char *wrong;

	niddgw_count(p->host, "mqtt_commands_total", 1);
	if (m->retained || !read_topic(p, &r, m->topic))
		return;
	wrong = m->too_big ? "" : read_body(&r, m);
	if (m->too_big)
		refuse(p, &r, m, "too_big", "the payload is above 64 KiB");
	else if (wrong)
		refuse(p, &r, m, "bad_request", wrong);
	else
		ask(p, &r, m);
	request_fini(&r);
}

int command_answered(struct mqtt *p, const struct niddgw_answer *a)
{
	struct pending *w = a->cookie ? pending_of(p, a->cookie) : NULL;
	char buf[TOPIC_MAX];
	int err;

	if (!w &&
	    !a->cookie) /* asked in a life before this one: where the answers stand that nobody named a place for */
		return publish_answer(p, answer_topic(p, NULL, a->command, buf), NULL, 0, a->json);
	if (!w)
		return 0;
	err = publish_answer(p, answer_topic(p, w->response_topic, a->command, buf), w->correlation, w->correlation_len,
			     a->json);
	if (a->final)
		pending_free(w);
	return err;
}

void commands_free(struct mqtt *p)
{
	for (size_t i = 0; i < COMMANDS_MAX; i++)
		pending_free(&p->pending[i]);
}
