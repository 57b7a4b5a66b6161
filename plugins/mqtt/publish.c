/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - what goes to the broker now, what waits on disk, and what is lost
 *
 * State documents come before everything else, and in order: while one of them waits, the next waits behind it. Events
 * wait while the broker is away or slow; then they go at half the window, so that what is new gets through beside them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mqtt.h"

enum { PUMP_MS = 20 };

void time_text(char buf[32], uint64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, 32 - n, ".%03uZ", (unsigned)(wall_ms % 1000));
}

void lost(struct mqtt *p, uint64_t n, const char *reason)
{
	char text[80], name[64];

	if (!n)
		return;
	p->dropped += n;
	snprintf(name, sizeof name, "mqtt_dropped_total{reason=\"%s\"}", reason);
	niddgw_count(p->host, name, n);
	if (p->dropped / 2 < p->dropped_told)
		return; /* while many are lost it is told anew when twice as many are */
	p->dropped_told = p->dropped;
	snprintf(text, sizeof text, "%llu messages were dropped while the broker was away or slow",
		 (unsigned long long)p->dropped);
	niddgw_alarm(p->host, "mqtt.dropped", text);
}

static void count_published(struct mqtt *p, enum publish_kind kind, const char *topic)
{
	char name[64];
	const char *word = strrchr(topic, '/');

	snprintf(name, sizeof name, "mqtt_published_total{kind=\"%.20s\"}",
		 kind == PUBLISH_STATE ? "state"
			 : word        ? word + 1
				       : topic);
	niddgw_count(p->host, name, 1);
}

static void show_spool(struct mqtt *p)
{
	niddgw_gauge(p->host, "mqtt_spool_bytes", (int64_t)(spool_bytes(p->states) + spool_bytes(p->events)));
}

static int send_now(struct mqtt *p, enum publish_kind kind, const char *topic, const void *payload, size_t len)
{
	struct broker_publish b = { .topic = topic,
				    .payload = payload,
				    .len = len,
				    .qos = kind != PUBLISH_LOOSE,
				    .retain = kind == PUBLISH_STATE };
	int err;

	if (p->flags & NIDDGW_JSON_SENML && kind == PUBLISH_EVENT && len && *(const char *)payload == '[')
		b.content_type = "application/senml+json";
	err = broker_publish(p->broker, &b);
	if (!err)
		count_published(p, kind, topic);
	return err;
}

void publish_later(struct mqtt *p)
{
	if (!p->pump_due)
		niddgw_timer(p->host, PUMP_MS);
	p->pump_due = true;
}

static int keep(struct mqtt *p, struct spool *s, const char *topic, const char *json, bool retain)
{
	const struct spool_message m = { topic, json, strlen(json), retain };
	uint64_t dropped;
	int err = spool_put(s, &m, &dropped);

	lost(p, dropped + (err != 0), "spool");
	show_spool(p);
	if (s == p->states && (dropped || err))
		p->replay_owed = true;
	if (err)
		return -EAGAIN;
	publish_later(p);
	return 0;
}

static int publish_state(struct mqtt *p, const char *topic, const char *json)
{
	struct spool_message first;

	if (!broker_is_up(p->broker) && *json)
		return 0; /* asked for again when the broker is back; only what clears is not */
	if (spool_peek(p->states, &first) == -ENOENT && !send_now(p, PUBLISH_STATE, topic, json, strlen(json)))
		return 0;
	return keep(p, p->states, topic, json, true);
}

static int publish_topic(struct mqtt *p, enum publish_kind kind, const char *topic, const char *json)
{
	if (kind == PUBLISH_STATE)
		return publish_state(p, topic, json);
	if (!send_now(p, kind, topic, json, strlen(json)))
		return 0;
	if (kind == PUBLISH_EVENT)
		return keep(p, p->events, topic, json, false);
	lost(p, 1, "broker");
	return -EAGAIN;
}

int publish(struct mqtt *p, enum publish_kind kind, const char *suffix, const char *json)
{
	char topic[TOPIC_MAX];

	if (snprintf(topic, sizeof topic, "%s/%s", p->base, suffix) >= (int)sizeof topic)
		return -EAGAIN;
	return publish_topic(p, kind, topic, json);
}

int publish_device(struct mqtt *p, enum publish_kind kind, const char *device, const char *suffix, const char *json)
{
	char level[TOPIC_LEVEL_SIZE], topic[TOPIC_MAX];

	if (snprintf(topic, sizeof topic, "%s/dev/%s/%s", p->base, topic_level(level, device), suffix) >=
	    (int)sizeof topic)
		return -EAGAIN;
	return publish_topic(p, kind, topic, json);
}

int publish_value_now(struct mqtt *p, const char *suffix, const char *json)
{
	char topic[TOPIC_MAX];
	struct broker_publish b = { .topic = topic, .payload = json, .len = strlen(json), .retain = true };
	int err;

	snprintf(topic, sizeof topic, "%s/%s", p->base, suffix);
	if (broker_outstanding(p->broker) >= BROKER_WINDOW / 2)
		return -EAGAIN;
	err = broker_publish(p->broker, &b);
	if (!err)
		count_published(p, PUBLISH_STATE, topic);
	return err;
}

int publish_answer(struct mqtt *p, const char *topic, const void *correlation, size_t correlation_len, const char *json)
{
	const struct broker_publish b = { .topic = topic,
					  .payload = json,
					  .len = strlen(json),
					  .qos = 1,
					  .correlation = correlation,
					  .correlation_len = correlation_len };
	int err = broker_publish(p->broker, &b);

	if (err)
		lost(p, 1, "broker"); /* who asked has lost the connection too, or asks faster than the broker takes
					 answers */
	return err ? -EAGAIN : 0;
}

/* False: there is something left that does not go now. */
static bool empty(struct mqtt *p, struct spool *s, enum publish_kind kind, unsigned window)
{
	struct spool_message m;
	int err;

	while (!(err = spool_peek(s, &m))) {
		if (broker_outstanding(p->broker) >= window)
			return false;
		err = send_now(p, kind, m.topic, m.payload, m.len);
		if (err == -EINVAL)
			lost(p, 1, "broker");
		else if (err)
			return false;
		spool_drop(s);
	}
	return err == -ENOENT;
}

void publish_kept(struct mqtt *p)
{
	if (!broker_is_up(p->broker))
		return;
	if (!empty(p, p->states, PUBLISH_STATE, BROKER_WINDOW) || !values_publish(p) ||
	    (!p->events_held && !empty(p, p->events, PUBLISH_EVENT, BROKER_WINDOW / 2))) {
		publish_later(p);
		return;
	}
	if (p->events_held)
		return; /* the end of the replay goes on */
	show_spool(p);
	if (p->dropped) {
		p->dropped = p->dropped_told = 0;
		niddgw_alarm(p->host, "mqtt.dropped", NULL);
	}
	if (p->replay_owed) {
		p->replay_owed = false;
		niddgw_replay(p->host);
	}
}
