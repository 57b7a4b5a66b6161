/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - births, data and deaths, in the order that their numbers tell
 *
 * What a host application may take as complete is a birth: so a device with a new metric is born again, and when a
 * message did not get through everything is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "sparkplug.h"

enum { BIRTH_MS = 20 };

static uint64_t now_ms(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

int topic_of(const struct sparkplug *p, const char *type, const char *device, char topic[SP_TOPIC_MAX])
{
	char level[TOPIC_LEVEL_SIZE];
	int n = device ? snprintf(topic, SP_TOPIC_MAX, "spBv1.0/%s/%s/%s/%s", p->group, type, p->node,
				  topic_level(level, device))
		       : snprintf(topic, SP_TOPIC_MAX, "spBv1.0/%s/%s/%s", p->group, type, p->node);

	return n < SP_TOPIC_MAX ? 0 : -EMSGSIZE;
}

/* Each message carries the next number. */
static int publish_payload(struct sparkplug *p, const char *type, const char *device, Spb__Payload *payload)
{
	char topic[SP_TOPIC_MAX];
	struct broker_publish m = { .topic = topic, .content_type = SP_CONTENT_TYPE };
	uint8_t *buf;
	int err;

	payload->has_timestamp = true;
	payload->timestamp = now_ms();
	payload->has_seq = true;
	payload->seq = p->seq;
	m.len = spb__payload__get_packed_size(payload);
	buf = malloc(m.len + 1);
	if (!buf)
		return -ENOMEM;
	spb__payload__pack(payload, buf);
	m.payload = buf;
	err = topic_of(p, type, device, topic);
	if (!err)
		err = broker_publish(p->broker, &m);
	free(buf);
	niddgw_count(p->host, err ? "sparkplug_dropped_total" : "sparkplug_published_total", 1);
	if (!err)
		p->seq++;
	return err;
}

/* ---- the node ---- */

static void bd_seq_metric(Spb__Metric *m, uint64_t n)
{
	static char name[] = "bdSeq";

	spb__metric__init(m);
	m->name = name;
	m->has_timestamp = true;
	m->timestamp = now_ms();
	m->has_datatype = true;
	m->datatype = SP_INT64;
	m->has_long_value = true;
	m->long_value = n;
}

size_t node_death(struct sparkplug *p, uint8_t *buf, size_t size)
{
	Spb__Payload payload = SPB__PAYLOAD__INIT;
	Spb__Metric bd_seq, *metrics[] = { &bd_seq };

	bd_seq_metric(&bd_seq, p->bd_seq & 255);
	payload.has_timestamp = true;
	payload.timestamp = now_ms();
	payload.n_metrics = 1;
	payload.metrics = metrics;
	return spb__payload__get_packed_size(&payload) <= size ? spb__payload__pack(&payload, buf) : 0;
}

void node_birth(struct sparkplug *p)
{
	static char rebirth_name[] = "Node Control/Rebirth";
	Spb__Payload payload = SPB__PAYLOAD__INIT;
	Spb__Metric bd_seq, rebirth, *metrics[] = { &bd_seq, &rebirth };

	bd_seq_metric(&bd_seq, p->bd_seq & 255);
	spb__metric__init(&rebirth);
	rebirth.name = rebirth_name;
	rebirth.has_timestamp = true;
	rebirth.timestamp = now_ms();
	rebirth.has_datatype = true;
	rebirth.datatype = SP_BOOLEAN;
	rebirth.has_boolean_value = true;
	payload.n_metrics = 2;
	payload.metrics = metrics;
	p->seq = 0;
	for (size_t i = 0; i < p->devices_n; i++) {
		p->devices[i]->born = false;
		if (p->devices[i]->registered)
			birth_due(p, p->devices[i]);
	}
	p->born = !publish_payload(p, "NBIRTH", NULL, &payload);
	if (p->born)
		births(p);
	else
		niddgw_timer(p->host, BIRTH_MS);
}

/* ---- devices ---- */

/* Shows the metrics that which names, or all of them (NULL). */
static int publish_metrics(struct sparkplug *p, const char *type, struct sp_device *d, const size_t *which, size_t n)
{
	Spb__Payload payload = SPB__PAYLOAD__INIT;
	bool birth = !which;
	Spb__Metric *shown = calloc(n + 1, sizeof *shown), **list = calloc(n + 1, sizeof(Spb__Metric *));
	struct metric_holder *holders = calloc(n + 1, sizeof *holders);
	int err = -ENOMEM;

	if (shown && list && holders) {
		for (size_t i = 0; i < n; i++) {
			metric_show(&d->metrics[which ? which[i] : i], &shown[i], &holders[i], birth);
			list[i] = &shown[i];
		}
		payload.n_metrics = n;
		payload.metrics = list;
		err = publish_payload(p, type, d->name, &payload);
	}
	free(shown);
	free(list);
	free(holders);
	return err;
}

/* ---- who is to be born: a queue, in which each device stands once ---- */

void birth_due(struct sparkplug *p, struct sp_device *d)
{
	d->born = false;
	if (d->due)
		return;
	d->due = true;
	TAILQ_INSERT_TAIL(&p->due, d, link);
}

void birth_off(struct sparkplug *p, struct sp_device *d)
{
	if (d->due)
		TAILQ_REMOVE(&p->due, d, link);
	d->due = false;
}

void births(struct sparkplug *p)
{
	struct sp_device *d;

	if (!broker_is_up(p->broker))
		return;
	if (!p->born) {
		if (broker_outstanding(p->broker) < BROKER_WINDOW / 2)
			node_birth(p);
		else
			niddgw_timer(p->host, BIRTH_MS);
		return;
	}
	while ((d = TAILQ_FIRST(&p->due))) {
		if (broker_outstanding(p->broker) >= BROKER_WINDOW / 2 ||
		    publish_metrics(p, "DBIRTH", d, NULL, d->metrics_n)) {
			niddgw_timer(p->host, BIRTH_MS);
			return;
		}
		birth_off(p, d);
		d->born = true;
	}
}

void birth_again(struct sparkplug *p, struct sp_device *d)
{
	birth_due(p, d);
	births(p);
}

void device_data(struct sparkplug *p, struct sp_device *d, const size_t *which, size_t n)
{
	if (!p->born || !d->born || !n)
		return; /* its birth will have the values */
	if (publish_metrics(p, "DDATA", d, which, n))
		birth_again(p, d); /* a host that has seen the birth must not miss what came after it */
}

void device_death(struct sparkplug *p, struct sp_device *d)
{
	Spb__Payload payload = SPB__PAYLOAD__INIT;

	if (p->born && d->born && publish_payload(p, "DDEATH", d->name, &payload))
		p->born = false; /* all is told again when there is room */
	birth_off(p, d);
	d->born = false;
	if (!p->born)
		niddgw_timer(p->host, BIRTH_MS);
}
