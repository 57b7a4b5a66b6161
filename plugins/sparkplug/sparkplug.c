/* SPDX-License-Identifier: Apache-2.0 */
/* sparkplug.c - the gateway as an edge node of Sparkplug B 3.0
 *
 * Host applications want a birth with every metric before any data, and data without gaps. Values come one by one here,
 * so what a device has reported is kept: its metrics are what its births consist of.
 */
#include "sparkplug.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../mqtt/settings.h"

static const struct niddgw_option options[] = {
	SETTINGS_OPTIONS,
	{ "group", NIDDGW_OPTION_TEXT, false, "niddgw", NULL, 0, 0, "group id of the edge node" },
	{ .name = NULL },
};

/* ---- devices ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sp_device *)a)->name, ((const struct sp_device *)b)->name);
}

static bool list_add(struct sparkplug *p, struct sp_device *d)
{
	struct sp_device **more;

	if (!(p->devices_n & (p->devices_n - 1))) { /* full at each power of two */
		more = realloc(p->devices, (p->devices_n ? 2 * p->devices_n : 1) * sizeof *more);
		if (!more)
			return false;
		p->devices = more;
	}
	d->at = p->devices_n;
	p->devices[p->devices_n++] = d;
	return true;
}

struct sp_device *device_of(struct sparkplug *p, const char *name, bool make)
{
	struct sp_device probe = { .name = (char *)(uintptr_t)name }, *d;
	void *at = tfind(&probe, &p->tree, by_name);

	if (at || !make || p->devices_n >= DEVICES_MAX)
		return at ? *(struct sp_device **)at : NULL;
	d = calloc(1, sizeof *d);
	if (d)
		d->name = strdup(name);
	if (!d || !d->name || !tsearch(d, &p->tree, by_name)) {
		free(d ? d->name : NULL);
		free(d);
		return NULL;
	}
	if (!list_add(p, d)) {
		tdelete(d, &p->tree, by_name);
		free(d->name);
		free(d);
		return NULL;
	}
	return d;
}

static void device_free(struct sp_device *d)
{
	for (size_t i = 0; i < d->metrics_n; i++)
		metric_fini(&d->metrics[i]);
	free(d->metrics);
	free(d->name);
	free(d);
}

static void device_remove(struct sparkplug *p, struct sp_device *d)
{
	struct sp_device *last = p->devices[--p->devices_n];

	tdelete(d, &p->tree, by_name);
	birth_off(p, d);
	last->at = d->at;
	p->devices[d->at] = last;
	device_free(d);
}

/* ---- metrics ---- */

static int path_order(const struct metric *m, const struct niddgw_value *v)
{
	for (uint8_t i = 0; i < m->path_len && i < v->path_len; i++)
		if (m->path[i] != v->path[i])
			return m->path[i] < v->path[i] ? -1 : 1;
	return (m->path_len > v->path_len) - (m->path_len < v->path_len);
}

/* Where the value's metric is, or would stand. */
static size_t metric_place(const struct sp_device *d, const struct niddgw_value *v, bool *found)
{
	size_t low = 0, high = d->metrics_n;

	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		int order = path_order(&d->metrics[middle], v);

		*found = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return *found ? high : low;
}

static struct metric *metric_add(struct sparkplug *p, struct sp_device *d, size_t at, const struct niddgw_value *v)
{
	struct metric *more = d->metrics_n < METRICS_MAX ? realloc(d->metrics, (d->metrics_n + 1) * sizeof *more)
							 : NULL;

	if (!more)
		return NULL;
	d->metrics = more;
	memmove(&more[at + 1], &more[at], (d->metrics_n - at) * sizeof *more);
	more[at] = (struct metric){ .alias = ++p->next_alias, .path_len = v->path_len };
	memcpy(more[at].path, v->path, sizeof more[at].path);
	d->metrics_n++;
	return &more[at];
}

/* What of a report is to be shown, as places in the list of metrics; useless when one of them is in no birth. */
struct shown {
	size_t *at, n;
	bool fresh;
};

/* A series has the same metric again: what was taken so far leaves before it is written over. */
static void make_way(struct sparkplug *p, struct sp_device *d, struct metric *m, struct shown *s)
{
	if (m->turn != p->turn)
		return;
	if (!s->fresh)
		device_data(p, d, s->at, s->n);
	s->n = 0;
	p->turn++;
}

static void take_value(struct sparkplug *p, struct sp_device *d, const struct niddgw_value *v, uint64_t arrival_ms,
		       struct shown *s)
{
	bool found;
	size_t at = metric_place(d, v, &found);
	struct metric *m = found ? &d->metrics[at] : metric_add(p, d, at, v);
	uint8_t datatype;

	if (!m)
		return;
	make_way(p, d, m, s);
	datatype = m->datatype;
	if (!metric_set(m, v, arrival_ms)) {
		m->is_null = true;
		m->datatype = datatype ? datatype : SP_STRING;
	}
	m->turn = p->turn;
	s->at[s->n++] = at;
	s->fresh = s->fresh || !found || m->datatype != datatype;
}

static int sparkplug_record(void *state, const struct niddgw_record *r)
{
	struct sparkplug *p = state;
	size_t n = niddgw_record_kind(r) == NIDDGW_RECORD_DATA ? niddgw_record_values(r) : 0;
	struct sp_device *d = n ? device_of(p, niddgw_record_device(r), true) : NULL;
	struct shown s = { d ? calloc(n, sizeof *s.at) : NULL, 0, false };

	if (!s.at)
		return n ? -EAGAIN : 0;
	p->turn++;
	for (size_t i = 0; i < n; i++)
		take_value(p, d, niddgw_record_value(r, i), niddgw_record_arrival_ms(r), &s);
	d->registered = true; /* what reports is there, whatever the session was told */
	if (s.fresh || !d->born)
		birth_again(p, d);
	else
		device_data(p, d, s.at, s.n);
	free(s.at);
	return 0;
}

/* ---- sessions ---- */

static bool is_registered(const struct niddgw_session *s)
{
	json_t *o = s->state ? json_loads(s->state, 0, NULL) : NULL;
	const char *word = json_string_value(json_object_get(o, "state"));
	bool is = word && !strcmp(word, "registered");

	json_decref(o);
	return is;
}

static int sparkplug_session(void *state, const struct niddgw_session *s)
{
	struct sparkplug *p = state;
	bool registered = is_registered(s);
	struct sp_device *d = device_of(p, s->device, registered);

	if (!d)
		return registered ? -EAGAIN : 0;
	if (!registered) {
		device_death(p, d);
		d->registered = false;
		if (!s->state)
			device_remove(p, d);
		return 0;
	}
	d->registered = true;
	if (!d->born)
		birth_again(p, d);
	return 0;
}

/* ---- the broker ---- */

/* Deaths are told from births by it, so it goes on where it was when the process starts again. */
static void bd_seq_read(struct sparkplug *p)
{
	char path[PATH_MAX], text[24] = "";

	p->bd_seq = UINT64_MAX; /* the first connection is 0 */
	p->bd_seq_file = -1;
	if (snprintf(path, sizeof path, "%s/bdseq", niddgw_state_dir(p->host)) >= (int)sizeof path)
		return;
	p->bd_seq_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (p->bd_seq_file >= 0 && pread(p->bd_seq_file, text, sizeof text - 1, 0) > 0)
		p->bd_seq = strtoull(text, NULL, 10);
}

static size_t will_of(void *arg, uint8_t *buf, size_t size)
{
	struct sparkplug *p = arg;
	char text[24];

	p->bd_seq++;
	snprintf(text, sizeof text, "%020llu\n", (unsigned long long)p->bd_seq);
	if (p->bd_seq_file >= 0 && pwrite(p->bd_seq_file, text, strlen(text), 0) < 0) {
		/* a full disk: it is told apart all the same until the process ends */
	}
	return node_death(p, buf, size);
}

static void on_up(void *arg)
{
	struct sparkplug *p = arg;

	p->down_told = false;
	niddgw_log(p->host, NIDDGW_NOTICE, "broker.up", "connected");
	niddgw_gauge(p->host, "sparkplug_connected", 1);
	node_birth(p);
}

static void on_down(void *arg, const char *why)
{
	struct sparkplug *p = arg;

	p->born = false;
	niddgw_gauge(p->host, "sparkplug_connected", 0);
	if (p->down_told)
		return;
	p->down_told = true;
	niddgw_log(p->host, NIDDGW_WARNING, "broker.down", why ? why : "connection lost");
}

static void on_message(void *arg, const struct broker_message *m)
{
	command_came(arg, m);
}

static const struct broker_events broker_events = { on_up, on_down, on_message };

static void sparkplug_poll(void *state, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	broker_ready(((struct sparkplug *)state)->broker);
}

static void sparkplug_timer(void *state)
{
	births(state);
}

static int sparkplug_answer(void *state, const struct niddgw_answer *a)
{
	return command_answered(state, a);
}

/* ---- open and close ---- */

static void sparkplug_close(void *state)
{
	struct sparkplug *p = state;
	char topic[SP_TOPIC_MAX];
	uint8_t death[256];
	const struct broker_publish last = { .topic = topic,
					     .payload = death,
					     .len = node_death(p, death, sizeof death),
					     .qos = 1,
					     .content_type = SP_CONTENT_TYPE };

	broker_close(p->broker, p->born && !topic_of(p, "NDEATH", NULL, topic) ? &last : NULL);
	tdestroy(p->tree, (void (*)(void *))device_free);
	free(p->devices);
	if (p->bd_seq_file >= 0)
		close(p->bd_seq_file);
	free(p);
}

static int connect_broker(struct sparkplug *p, const char **why)
{
	char id[600], death[SP_TOPIC_MAX], node[SP_TOPIC_MAX], devices[SP_TOPIC_MAX];
	const char *subscriptions[] = { node, devices, NULL };
	struct settings set;
	int err = settings_read(&set, p->host, why);

	if (err)
		return err;
	snprintf(id, sizeof id, "niddgw-%s-%s", niddgw_gateway_id(p->host), niddgw_instance(p->host));
	snprintf(death, sizeof death, "spBv1.0/%s/NDEATH/%s", p->group, p->node);
	snprintf(node, sizeof node, "spBv1.0/%s/NCMD/%s", p->group, p->node);
	snprintf(devices, sizeof devices, "spBv1.0/%s/DCMD/%s/+", p->group, p->node);
	set.conf.client_id = id;
	set.conf.clean = true;
	set.conf.will_topic = death;
	set.conf.will_of = will_of;
	set.conf.will_content_type = SP_CONTENT_TYPE;
	set.conf.subscriptions = subscriptions;
	err = broker_open(&p->broker, &set.conf, &broker_events, p, why);
	settings_wipe(&set);
	return err;
}

static int sparkplug_open(struct niddgw_host *host, void **state)
{
	struct sparkplug *p = calloc(1, sizeof *p);
	const char *why = NULL;
	int err;

	if (!p)
		return -ENOMEM;
	p->host = host;
	TAILQ_INIT(&p->due);
	bd_seq_read(p);
	topic_level(p->group, niddgw_option(host, "group"));
	topic_level(p->node, niddgw_gateway_id(host));
	err = connect_broker(p, &why);
	if (!err)
		err = niddgw_watch(host, broker_fd(p->broker), POLLIN);
	if (err) {
		niddgw_log(host, NIDDGW_ERROR, "refused", why ? why : strerror(-err));
		sparkplug_close(p);
		return err;
	}
	*state = p;
	return 0;
}

const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI,
	.size = sizeof(struct niddgw_plugin),
	.name = "sparkplug",
	.version = NIDDGW_VERSION,
	.needs = NIDDGW_NEEDS_NETWORK,
	.options = options,
	.open = sparkplug_open,
	.close = sparkplug_close,
	.record = sparkplug_record,
	.session = sparkplug_session,
	.answer = sparkplug_answer,
	.poll = sparkplug_poll,
	.timer = sparkplug_timer,
};
