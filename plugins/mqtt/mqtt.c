/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt.c - mirrors what devices report to an MQTT broker, and takes commands from it
 *
 * The tree of topics and the payloads are those of the monitoring reference. The gateway makes the documents; here they
 * get their topic, and a broker that is away, slow or forgetful is dealt with.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mqtt.h"
#include "settings.h"

enum { JSON_MAX = 256 << 10, PREFIX_MAX = 256 };

static const char *const format_words[] = { "json", "senml", NULL };
static const char *const opaque_words[] = { "base64", "omit", NULL };
static const struct niddgw_option options[] = {
	SETTINGS_OPTIONS,
	{ "prefix", NIDDGW_OPTION_TEXT, false, "niddgw", NULL, 0, 0, "first levels of every topic" },
	{ "will_delay_s", NIDDGW_OPTION_INT, false, "5", NULL, 0, 3600,
	  "how long the broker waits before it tells that the gateway is lost (MQTT 5)" },
	{ "data_format", NIDDGW_OPTION_TEXT, false, "json", format_words, 0, 0, "form of event/data" },
	{ "raw_payload", NIDDGW_OPTION_BOOL, false, "false", NULL, 0, 0,
	  "show the octets of what cannot be decoded in event/raw" },
	{ "opaque", NIDDGW_OPTION_TEXT, false, "base64", opaque_words, 0, 0, "how opaque values are shown" },
	{ "last_value", NIDDGW_OPTION_BOOL, false, "false", NULL, 0, 0,
	  "keep the last value of each resource as a retained message" },
	{ "spool_max_bytes", NIDDGW_OPTION_INT, false, "16777216", NULL, 1 << 20, INT64_C(1) << 40,
	  "room on disk for events while the broker is away" },
	{ .name = NULL },
};

/* ---- the broker comes and goes ---- */

static void on_up(void *arg)
{
	struct mqtt *p = arg;

	p->down_told = false;
	niddgw_log(p->host, NIDDGW_NOTICE, "broker.up", "connected");
	niddgw_gauge(p->host, "mqtt_connected", 1);
	if (p->conn)
		(void)publish(p, PUBLISH_STATE, "state/conn", p->conn);
	niddgw_replay(p->host); /* it may have forgotten, and what has changed meanwhile was not sent */
	p->replay_owed = false;
	p->events_held = true;
	values_again(p);
	publish_kept(p);
}

static void on_down(void *arg, const char *why)
{
	struct mqtt *p = arg;

	niddgw_gauge(p->host, "mqtt_connected", 0);
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

static void mqtt_poll(void *state, int fd, unsigned events)
{
	struct mqtt *p = state;

	(void)fd;
	(void)events;
	broker_ready(p->broker);
}

static void mqtt_timer(void *state)
{
	struct mqtt *p = state;

	p->pump_due = false;
	publish_kept(p);
}

/* ---- what the gateway tells ---- */

static int mqtt_gateway(void *state, const struct niddgw_gateway *g)
{
	static const char *const suffix[] = { [NIDDGW_GATEWAY_PHASE] = "state/conn",
					      [NIDDGW_GATEWAY_INFO] = "state/info",
					      [NIDDGW_GATEWAY_HEALTH] = "state/health" };
	struct mqtt *p = state;

	if (g->what == NIDDGW_GATEWAY_REPLAYED) {
		p->events_held = false;
		publish_kept(p);
	}
	if (g->what > NIDDGW_GATEWAY_HEALTH)
		return 0;
	if (g->what == NIDDGW_GATEWAY_PHASE) {
		char *copy = strdup(g->json);

		if (!copy)
			return -EAGAIN;
		free(p->conn);
		p->conn = copy;
	}
	return publish(p, PUBLISH_STATE, suffix[g->what], g->json);
}

/* Commands name a device by its level: a hash is found again only when the name is known. */
static void learn_name(struct mqtt *p, const char *device)
{
	char level[TOPIC_LEVEL_SIZE];

	if (strncmp(topic_level(level, device), "%h", 2))
		return;
	for (size_t i = 0; i < p->names_n; i++)
		if (!strcmp(p->names[i], device))
			return;
	if (p->names_n < NAMES_MAX && (p->names[p->names_n] = strdup(device)))
		p->names_n++;
}

static int mqtt_session(void *state, const struct niddgw_session *s)
{
	struct mqtt *p = state;
	int err = 0;

	learn_name(p, s->device);
	if (s->json)
		err = publish_device(p, PUBLISH_EVENT, s->device, "event/session", s->json);
	if (s->state) {
		err |= publish_device(p, PUBLISH_STATE, s->device, "state/session", s->state);
		if (s->objects)
			err |= publish_device(p, PUBLISH_STATE, s->device, "state/objects", s->objects);
		return err ? -EAGAIN : 0;
	}
	err |= publish_device(p, PUBLISH_STATE, s->device, "state/session", "");
	err |= publish_device(p, PUBLISH_STATE, s->device, "state/objects", "");
	values_clear(p, s->device);
	return err ? -EAGAIN : 0;
}

static int mqtt_down(void *state, const struct niddgw_down *d)
{
	return publish_device(state, PUBLISH_EVENT, d->device, "event/down", d->json);
}

static int mqtt_alarm(void *state, const struct niddgw_alarm_event *a)
{
	char suffix[TOPIC_MAX], level[TOPIC_LEVEL_SIZE];
	struct mqtt *p = state;
	int err = 0;

	snprintf(suffix, sizeof suffix, "state/alarm/%s", topic_level(level, a->id));
	if (a->json)
		err = publish(p, PUBLISH_EVENT, "event/alarm", a->json);
	err |= publish(p, PUBLISH_STATE, suffix, a->state ? a->state : "");
	return err ? -EAGAIN : 0;
}

static int mqtt_stats(void *state, const struct niddgw_stats *st)
{
	return publish(state, PUBLISH_LOOSE, "event/stats", st->json);
}

static int mqtt_answer(void *state, const struct niddgw_answer *a)
{
	return command_answered(state, a);
}

/* ---- records ---- */

static void publish_value(struct mqtt *p, const struct niddgw_record *r, const struct niddgw_value *v)
{
	char suffix[TOPIC_MAX], level[TOPIC_LEVEL_SIZE], ts[32];
	size_t head;
	long len;

	if (v->path_len < 3)
		return;
	snprintf(suffix, sizeof suffix, "dev/%s/state/value/%u/%u/%u", topic_level(level, niddgw_record_device(r)),
		 v->path[0], v->path[1], v->path[2]);
	time_text(ts, niddgw_record_arrival_ms(r));
	head = (size_t)snprintf(p->buf, p->buf_size, "{\"v\":1,\"ts\":\"%s\"", ts);
	len = niddgw_value_json(v, (p->flags & ~NIDDGW_JSON_SENML) | NIDDGW_JSON_OBJECT, p->buf + head,
				p->buf_size - head);
	if (len <= 0 || (size_t)len >= p->buf_size - head)
		return;
	p->buf[head] = ','; /* one object of both */
	value_set(p, suffix, p->buf);
}

static int mqtt_record(void *state, const struct niddgw_record *r)
{
	struct mqtt *p = state;
	bool raw = niddgw_record_kind(r) == NIDDGW_RECORD_RAW;
	unsigned flags = raw ? (p->raw_payload ? NIDDGW_JSON_RAW_PAYLOAD : 0) : p->flags;
	size_t n = niddgw_record_values(r);
	long len;
	int err;

	if (!n)
		flags &= ~NIDDGW_JSON_SENML; /* the links of a Register are no measurements */
	len = niddgw_record_json(r, flags, p->buf, p->buf_size);
	if (len < 0 || (size_t)len >= p->buf_size) {
		lost(p, 1, "memory");
		return -EAGAIN;
	}
	err = publish_device(p, raw ? PUBLISH_LOOSE : PUBLISH_EVENT, niddgw_record_device(r),
			     raw ? "event/raw" : "event/data", p->buf);
	for (size_t i = 0; p->last_value && !raw && i < n; i++)
		publish_value(p, r, niddgw_record_value(r, i));
	return err;
}

/* ---- open and close ---- */

static const char *set_base(struct mqtt *p)
{
	const char *prefix = niddgw_option(p->host, "prefix");
	char level[TOPIC_LEVEL_SIZE];
	size_t len = strlen(prefix);

	if (!len || len > PREFIX_MAX || strpbrk(prefix, "+#") || *prefix == '$' || *prefix == '/' ||
	    prefix[len - 1] == '/' || strstr(prefix, "//"))
		return "prefix cannot begin a topic";
	snprintf(p->base, sizeof p->base, "%s/v1/%s", prefix, topic_level(level, niddgw_gateway_id(p->host)));
	return NULL;
}

static int open_spools(struct mqtt *p)
{
	const char *dir = niddgw_state_dir(p->host);
	uint64_t max = (uint64_t)niddgw_option_int(p->host, "spool_max_bytes");
	char path[512];
	int err;

	snprintf(path, sizeof path, "%s/states", dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	err = spool_open(&p->states, path, 4 << 20);
	if (err)
		return err;
	snprintf(path, sizeof path, "%s/events", dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	return spool_open(&p->events, path, max);
}

static void fill_will(const struct mqtt *p, char will[512])
{
	snprintf(will, 512, "{\"v\":1,\"state\":\"offline\",\"reason\":\"lost\",\"node\":\"%s\",\"boot\":\"%s\"}",
		 niddgw_gateway_id(p->host), niddgw_boot_id(p->host));
}

static int connect_broker(struct mqtt *p, const char **why)
{
	char id[600], will[512], will_topic[TOPIC_MAX], gateway_commands[TOPIC_MAX], device_commands[TOPIC_MAX];
	const char *subscriptions[] = { gateway_commands, device_commands, NULL };
	struct settings set;
	int err = settings_read(&set, p->host, why);

	if (err)
		return err;
	snprintf(id, sizeof id, "niddgw-%s-%s", niddgw_gateway_id(p->host), niddgw_instance(p->host));
	snprintf(will_topic, sizeof will_topic, "%s/state/conn", p->base);
	snprintf(gateway_commands, sizeof gateway_commands, "%s/command/+", p->base);
	snprintf(device_commands, sizeof device_commands, "%s/dev/+/command/+", p->base);
	fill_will(p, will);
	set.conf.client_id = id;
	set.conf.will_topic = will_topic;
	set.conf.will = will;
	set.conf.will_retain = true;
	set.conf.will_delay_s = (uint32_t)niddgw_option_int(p->host, "will_delay_s");
	set.conf.subscriptions = subscriptions;
	err = broker_open(&p->broker, &set.conf, &broker_events, p, why);
	settings_wipe(&set);
	return err;
}

static void mqtt_close(void *state)
{
	struct mqtt *p = state;
	char topic[TOPIC_MAX];
	const struct broker_publish last = {
		.topic = topic, .payload = p->conn, .len = p->conn ? strlen(p->conn) : 0, .qos = 1, .retain = true
	};

	snprintf(topic, sizeof topic, "%s/state/conn", p->base);
	broker_close(p->broker, p->conn ? &last : NULL);
	spool_close(p->states);
	spool_close(p->events);
	commands_free(p);
	for (size_t i = 0; i < p->names_n; i++)
		free(p->names[i]);
	values_free(p);
	free(p->conn);
	free(p->buf);
	free(p);
}

static int mqtt_open(struct niddgw_host *host, void **state)
{
	struct mqtt *p = calloc(1, sizeof *p);
	const char *why = NULL;
	int err;

	if (!p)
		return -ENOMEM;
	p->host = host;
	p->buf_size = JSON_MAX;
	p->buf = malloc(p->buf_size);
	p->raw_payload = niddgw_option_bool(host, "raw_payload");
	p->last_value = niddgw_option_bool(host, "last_value");
	p->flags = (!strcmp(niddgw_option(host, "data_format"), "senml") ? NIDDGW_JSON_SENML : 0) |
		(!strcmp(niddgw_option(host, "opaque"), "omit") ? NIDDGW_JSON_OMIT_OPAQUE : 0);
	why = set_base(p);
	err = why ? -EINVAL : p->buf ? open_spools(p) : -ENOMEM;
	if (!err)
		err = connect_broker(p, &why);
	if (!err)
		err = niddgw_watch(host, broker_fd(p->broker), POLLIN);
	if (err) {
		niddgw_log(host, NIDDGW_ERROR, "refused", why ? why : strerror(-err));
		mqtt_close(p);
		return err;
	}
	*state = p;
	return 0;
}

const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI,
	.size = sizeof(struct niddgw_plugin),
	.name = "mqtt",
	.version = NIDDGW_VERSION,
	.needs = NIDDGW_NEEDS_NETWORK,
	.options = options,
	.open = mqtt_open,
	.close = mqtt_close,
	.record = mqtt_record,
	.session = mqtt_session,
	.down = mqtt_down,
	.alarm = mqtt_alarm,
	.stats = mqtt_stats,
	.gateway = mqtt_gateway,
	.answer = mqtt_answer,
	.poll = mqtt_poll,
	.timer = mqtt_timer,
};
