/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - the link of a scenario: takes what is sent down, answers as the scenario has scripted */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "replay.h"

#define SENT_KEPT 64
#define RESULTS_MAX 64
#define KEYS_KEPT 256

static const char *const verdict_words[] = { "taken", "unknown", "malformed", "overload" };

struct link_dev {
	struct link_dev_base base;
	struct link_dev *next;
	char name[160];
	uint32_t mtu;             /* 0: as attached */
	int results[RESULTS_MAX]; /* of the next sends, in order; then `always` */
	unsigned results_n, results_at;
	int always;
	struct {
		uint16_t mid;
		uint32_t id;
	} sent[SENT_KEPT];    /* the latest first */
	uint64_t deadline_ms; /* of the latest that had one */
	int64_t latency_s;    /* of the latest */
	enum link_class klass;
};

/* What was sent with a key, which outlives a crash; the latest is before keys_at. */
static struct {
	uint64_t key;
	uint16_t mid;
} keys[KEYS_KEPT];
static unsigned keys_at;

struct pending_up { /* a unit without a verdict */
	struct link_up up;
	struct pending_up *next;
	char name[160];
	bool within; /* the call that brought it */
};

struct fake_link {
	struct link base;
	struct link_conf conf;
	struct fake_link *next;
	struct link_dev *devs;
	char name[64];
	uint64_t cells[LINK_RES_COUNT], down_cells[LINK_DOWN_RES_COUNT], bytes;
};

struct fake_link *fake_link_next(struct fake_link *l)
{
	return l->next;
}

const char *fake_link_name(const struct fake_link *l)
{
	return l->name;
}

struct link *fake_link_base(struct fake_link *l)
{
	return &l->base;
}

/* ---- link_ops ---- */

static int op_attach(struct link *base, struct link_dev **out, const struct link_identity *identity, struct device *dev,
		     uint32_t mtu)
{
	struct fake_link *l = (struct fake_link *)(void *)base;
	struct link_dev *d = calloc(1, sizeof *d);

	(void)identity;
	if (!d)
		return -ENOMEM;
	d->base.link = base;
	d->base.dev = dev;
	d->mtu = mtu;
	snprintf(d->name, sizeof d->name, "%s", device_name(dev));
	d->next = l->devs;
	l->devs = d;
	*out = d;
	output_add(NULL, 0, "attach %s", d->name);
	return 0;
}

static void op_detach(struct link_dev *d, bool gone)
{
	struct fake_link *l = (struct fake_link *)(void *)d->base.link;
	struct link_dev **at = &l->devs;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	output_add(NULL, 0, gone ? "detach %s gone" : "detach %s", d->name);
	free(d);
}

static void remember(struct link_dev *d, const struct link_down *how, const uint8_t *data)
{
	memmove(&d->sent[1], &d->sent[0], sizeof d->sent - sizeof d->sent[0]);
	d->sent[0].mid = (uint16_t)(data[2] << 8 | data[3]);
	d->sent[0].id = how->id;
	if (how->key) {
		keys[keys_at].key = how->key;
		keys[keys_at].mid = d->sent[0].mid;
		keys_at = (keys_at + 1) % KEYS_KEPT;
	}
	if (how->deadline_ms)
		d->deadline_ms = how->deadline_ms;
	d->latency_s = how->maximum_latency_s;
	d->klass = how->klass;
}

static int op_send(struct link_dev *d, const struct link_down *how, const uint8_t *data, size_t len)
{
	int err = d->results_at < d->results_n ? d->results[d->results_at++] : d->always;

	if (!err && len > d->mtu)
		err = -EMSGSIZE;
	if (err)
		return err;
	if (len < 4)
		fail("a unit of %zu octets went down", len);
	remember(d, how, data);
	if (how->port_scef >= 0)
		output_add(data, len, "down %s rds=%d:%d", d->name, how->port_ue, how->port_scef);
	else
		output_add(data, len, "down %s", d->name);
	return 0;
}

static void op_cancel(struct link_dev *d, uint32_t id)
{
	for (unsigned i = 0; i < SENT_KEPT; i++)
		if (d->sent[i].id == id) {
			output_add(NULL, 0, "cancel %s mid=%u", d->name, d->sent[i].mid);
			return;
		}
	fail("cancel of a unit that was never sent");
}

/* What a network keeps over a restart is known by the key that it was sent with; of others it knows nothing. */
static void op_cancel_key(struct link_dev *d, uint64_t key)
{
	for (unsigned i = 1; i <= KEYS_KEPT; i++) {
		unsigned at = (keys_at + KEYS_KEPT - i) % KEYS_KEPT;

		if (keys[at].key == key) {
			output_add(NULL, 0, "cancel %s mid=%u", d->name, keys[at].mid);
			return;
		}
	}
}

#define OPS                                                                                                            \
	.name = "replay", .attach = op_attach, .detach = op_detach, .send = op_send, .cancel = op_cancel,              \
	.cancel_key = op_cancel_key
static const struct link_ops ops = { OPS }, queueing_ops = { OPS, .queues = true };

struct fake_link *fake_link_open(const char *name)
{
	struct fake_link *l = calloc(1, sizeof *l), **end = &world.links;

	if (!l)
		abort();
	snprintf(l->name, sizeof l->name, "%s", name);
	l->conf.head.name = l->name;
	l->base.ops = &ops;
	l->base.conf = &l->conf;
	for (unsigned i = 0; i < LINK_RES_COUNT; i++)
		l->base.results[i] = &l->cells[i];
	for (unsigned i = 0; i < LINK_DOWN_RES_COUNT; i++)
		l->base.down_results[i] = &l->down_cells[i];
	l->base.bytes_up = &l->bytes;
	while (*end)
		end = &(*end)->next;
	*end = l;
	return l;
}

void fake_link_set(struct fake_link *l, const struct link_conf *conf)
{
	l->conf.journal = conf->journal;
	l->base.ops = ((const struct fake_link_conf *)(const void *)conf)->queues ? &queueing_ops : &ops;
}

void fake_link_close(struct fake_link *l)
{
	struct fake_link **at = &world.links;

	if (l->devs)
		fail("link %s is closed while %s is attached", l->name, l->devs->name);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	free(l);
}

/* ---- commands ---- */

static struct link_dev *dev_of(const char *name)
{
	for (struct fake_link *l = world.links; l; l = l->next)
		for (struct link_dev *d = l->devs; d; d = d->next)
			if (strcmp(d->name, name) == 0)
				return d;
	fail("%s is not attached", name);
}

static struct pending_up *pending;

/* One that comes later is seen among what was sent: what went north must not have gone before it. */
static void on_verdict(struct link_up *up, enum link_verdict v)
{
	struct pending_up *p = container_of(up, struct pending_up, up), **at = &pending;

	while (*at && *at != p)
		at = &(*at)->next;
	if (!*at)
		fail("a unit got two verdicts");
	*at = p->next;
	world.waiting--;
	world.verdicts++;
	world.verdict = v;
	if (!p->within)
		output_add(NULL, 0, "verdict %s %s", p->name, verdict_words[v]);
	free(p);
}

static struct pending_up *pending_new(const char *name)
{
	struct pending_up *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->up = (struct link_up){ .verdict = on_verdict, .arrival_ms = world.now_ms, .port_ue = -1, .port_scef = -1 };
	p->within = true;
	p->next = pending;
	snprintf(p->name, sizeof p->name, "%s", name);
	pending = p;
	world.waiting++;
	return p;
}

static void on_late_verdict(struct link_up *up, enum link_verdict v)
{
	(void)v;
	free(container_of(up, struct pending_up, up));
}

void fake_link_crash(void)
{
	while (pending) {
		struct pending_up *p = pending;

		pending = p->next;
		p->up.verdict = on_late_verdict; /* sessions that are being freed still say something */
	}
	world.waiting = 0;
}

/* "UE:SCEF" */
static void read_ports(struct link_up *up, const char *text)
{
	unsigned ue, scef;

	if (sscanf(text, "%u:%u", &ue, &scef) != 2 || ue > 15 || scef > 15)
		fail("\"%s\" are no RDS ports: UE:SCEF", text);
	up->port_ue = (int16_t)ue;
	up->port_scef = (int16_t)scef;
}

/* up DEVICE [rds=UE:SCEF] MESSAGE | .. raw HEX | .. empty */
static void command_up(const struct words *w)
{
	static uint8_t buf[UNIT_MOST];
	struct link_dev *d = dev_of(w->n > 2 ? w->v[1] : "");
	const char *ports = word_value(w->v[2], "rds");
	unsigned waiting = world.waiting, first = ports ? 3 : 2;
	struct pending_up *p;
	uint8_t *exact;
	size_t len = 0;

	if (first >= w->n)
		fail("up has no message");
	if (strcmp(w->v[first], "raw") == 0 && w->n == first + 2)
		len = hex_parse(w->v[first + 1], buf, sizeof buf);
	else if (strcmp(w->v[first], "empty") != 0)
		len = message_build(buf, sizeof buf, w, first);
	exact = malloc(len + 1); /* an octet read beyond the unit is found out */
	if (!exact)
		abort();
	memcpy(exact + 1, buf, len);
	world.verdicts = 0;
	p = pending_new(d->name);
	if (ports)
		read_ports(&p->up, ports);
	session_link_events.uplink(world.sessions, &p->up, d->base.dev, exact + 1, len);
	free(exact);
	if (world.waiting > waiting)
		pending->within = false;
	if (world.waiting > waiting && !world.store)
		fail("the unit got no verdict");
}

int result_parse(const char *word)
{
	static const struct {
		const char *word;
		int err;
	} table[] = { { "ok", 0 },
		      { "EAGAIN", -EAGAIN },
		      { "ENOTCONN", -ENOTCONN },
		      { "EMSGSIZE", -EMSGSIZE },
		      { "EINVAL", -EINVAL } };

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(word, table[i].word) == 0)
			return table[i].err;
	fail("\"%s\" is no result", word);
}

/* link-result DEVICE RESULT ..: of the next sends | link-result DEVICE always RESULT */
static void command_result(const struct words *w)
{
	struct link_dev *d = dev_of(w->n > 2 ? w->v[1] : "");

	if (strcmp(w->v[2], "always") == 0 && w->n == 4) {
		d->always = result_parse(w->v[3]);
		return;
	}
	d->results_n = d->results_at = 0;
	for (unsigned i = 2; i < w->n && d->results_n < RESULTS_MAX; i++)
		d->results[d->results_n++] = result_parse(w->v[i]);
}

static uint32_t id_of(const struct link_dev *d, const char *mid)
{
	uint16_t want = 0;

	if (mid)
		want = mid_value(mid);
	for (unsigned i = 0; i < SENT_KEPT; i++)
		if (d->sent[i].id && (!mid || d->sent[i].mid == want))
			return d->sent[i].id;
	fail("no unit of which events were wanted has been sent");
}

static bool take_cause(const char *word, enum link_cause *cause)
{
	static const char *const words[LINK_CAUSE_COUNT] = { "none",      "asleep", "temporary", "refused",
							     "too-large", "barred", "expired",   "no-bearer" };

	for (unsigned i = 0; i < LINK_CAUSE_COUNT; i++)
		if (strcmp(word, words[i]) == 0) {
			*cause = (enum link_cause)i;
			return true;
		}
	return false;
}

static bool unit_event(struct link_dev *d, const struct words *w)
{
	static const char *const states[] = { "sent", "buffered", "delivered", "acked", "unsure", "failed" };
	struct link_down_event ev = { 0 };
	const char *retry = words_find(w, 3, "retry");
	unsigned i = 0;

	while (i < sizeof states / sizeof states[0] && strcmp(states[i], w->v[2]) != 0)
		i++;
	if (i == sizeof states / sizeof states[0])
		return false;
	ev.state = (enum link_down_state)i;
	if (ev.state == LINK_DOWN_FAILED && (w->n < 4 || !take_cause(w->v[3], &ev.cause)))
		fail("failed takes a cause");
	ev.id = id_of(d, words_find(w, 3, "mid"));
	if (retry)
		ev.retry_at_ms = world.now_ms + time_parse(retry);
	session_link_events.down(world.sessions, d->base.dev, &ev);
	return true;
}

/* event DEVICE sent|buffered|delivered|acked|unsure|failed CAUSE [mid=] [retry=TIME]: of the latest unit, or that with
 * the mid event DEVICE reachable|asleep|barred|allowed|mtu=OCTETS */
static void command_event(const struct words *w)
{
	struct link_dev *d = dev_of(w->n > 2 ? w->v[1] : "");
	struct link_dev_event ev = { 0 };
	const char *mtu = word_value(w->v[2], "mtu");

	if (unit_event(d, w))
		return;
	if (mtu) {
		ev.kind = LINK_DEV_MTU;
		ev.value = (uint32_t)number_parse(mtu);
		ev.origin = "maximumPacketSize";
		d->mtu = ev.value;
	} else if (strcmp(w->v[2], "reachable") == 0) {
		ev.kind = LINK_DEV_REACHABLE;
	} else if (strcmp(w->v[2], "asleep") == 0) {
		ev.kind = LINK_DEV_ASLEEP;
		if (words_find(w, 3, "until"))
			ev.until_ms = world.now_ms + time_parse(words_find(w, 3, "until"));
	} else if (strcmp(w->v[2], "barred") == 0) {
		ev.kind = LINK_DEV_BARRED;
	} else if (strcmp(w->v[2], "allowed") == 0) {
		ev.kind = LINK_DEV_ALLOWED;
	} else {
		fail("\"%s\" is no event", w->v[2]);
	}
	session_link_events.device(world.sessions, d->base.dev, &ev);
}

/* link-mtu DEVICE OCTETS: the link refuses longer units without having said so */
static void command_mtu(const struct words *w)
{
	dev_of(w->n == 3 ? w->v[1] : "")->mtu = (uint32_t)number_parse(w->v[2]);
}

/* deadline DEVICE TIME: what the latest unit with a deadline may still wait */
static void command_deadline(const struct words *w)
{
	struct link_dev *d = dev_of(w->n == 3 ? w->v[1] : "");
	uint64_t left = d->deadline_ms > world.now_ms ? d->deadline_ms - world.now_ms : 0;

	if (left != time_parse(w->v[2]))
		fail("the deadline is %llu ms away", (unsigned long long)left);
}

/* latency DEVICE SECONDS: how long the network may keep the latest unit | class DEVICE answer|request|bulk: what it was
 */
static void command_latency(const struct words *w)
{
	const struct link_dev *d = dev_of(w->n == 3 ? w->v[1] : "");

	if (d->latency_s != number_parse(w->v[2]))
		fail("the latency is %lld", (long long)d->latency_s);
}

static void command_class(const struct words *w)
{
	static const char *const words[] = { "answer", "request", "bulk" };
	const struct link_dev *d = dev_of(w->n == 3 ? w->v[1] : "");

	if (strcmp(words[d->klass], w->v[2]) != 0)
		fail("the class is %s", words[d->klass]);
}

void link_command(const struct words *w, const char *verb)
{
	if (strcmp(verb, "up") == 0)
		command_up(w);
	else if (strcmp(verb, "event") == 0)
		command_event(w);
	else if (strcmp(verb, "link-result") == 0)
		command_result(w);
	else if (strcmp(verb, "link-mtu") == 0)
		command_mtu(w);
	else if (strcmp(verb, "latency") == 0)
		command_latency(w);
	else if (strcmp(verb, "class") == 0)
		command_class(w);
	else
		command_deadline(w);
}

void fake_link_end_check(void)
{
	for (struct fake_link *l = world.links; l; l = l->next)
		for (struct link_dev *d = l->devs; d; d = d->next)
			if (d->results_at < d->results_n)
				fail("%u results of %s were not asked for", d->results_n - d->results_at, d->name);
}

bool uplink_count(const char *result, uint64_t *value)
{
	static const char *const words[LINK_RES_COUNT] = { "answered", "forwarded",      "duplicate", "malformed",
							   "refused",  "unknown_device", "too_big",   "quota",
							   "dropped",  "failed" };

	for (unsigned i = 0; i < LINK_RES_COUNT; i++) {
		if (strcmp(result, words[i]) != 0)
			continue;
		*value = 0;
		for (struct fake_link *l = world.links; l; l = l->next)
			*value += l->cells[i];
		return true;
	}
	return false;
}
