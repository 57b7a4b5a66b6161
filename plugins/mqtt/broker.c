/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c - one connection to an MQTT broker, on libmosquitto
 *
 * The library holds without bound what it is given, so messages in its hands are counted, and there is a window. Those
 * of QoS 1 survive a lost connection inside the library; those of QoS 0 are gone with it.
 */
#include "broker.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tls.h"

enum { KEEPALIVE_S = 30, BACKOFF_FIRST_MS = 1000, BACKOFF_MOST_MS = 15000, SESSION_EXPIRY_S = 3600, GOODBYE_MS = 2000 };

/* Something that happened in the thread and is to be told. */
struct item {
	struct item *next;
	enum item_kind { ITEM_UP, ITEM_DOWN, ITEM_MESSAGE } kind;
	bool retained, too_big;
	unsigned connection;          /* of ITEM_UP: which one */
	char *topic, *response_topic; /* owned; of ITEM_DOWN: topic is the reason */
	void *payload, *correlation;  /* owned */
	size_t len, correlation_len;
};

struct held {
	int mid; /* 0: a free place; libmosquitto's ids begin at 1 */
	int qos;
	size_t len;
};

struct broker {
	struct mosquitto *m;
	struct broker_events ev;
	void *arg;
	char *host;
	uint16_t port;
	bool v5, clean;
	char *will_topic; /* owned */
	bool will_retain;
	uint32_t will_delay_s;
	size_t (*will_of)(void *arg, uint8_t *buf, size_t size);
	const char *will_content_type; /* borrowed, for good */
	char **subscriptions;
	pthread_t thread;
	bool running; /* the thread was started */
	int event;
	bool up;                /* as the owner was told */
	unsigned up_connection; /* and of which connection */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t stopped;
	bool stop, connected;
	unsigned connection; /* counted */
	struct item *first, **last;
	unsigned items;
	struct held held[BROKER_WINDOW];
	unsigned held_n;
	size_t held_bytes;
};

/* ---- from the thread to the owner ---- */

static void item_free(struct item *it)
{
	if (!it)
		return;
	free(it->topic);
	free(it->response_topic);
	free(it->payload);
	free(it->correlation);
	free(it);
}

static void tell(struct broker *b, struct item *it)
{
	const uint64_t one = 1;

	if (!it)
		return; /* without memory it is lost, as a broker's message may be */
	pthread_mutex_lock(&b->lock);
	if (it->kind == ITEM_MESSAGE && b->items >= BROKER_QUEUE_MAX) {
		pthread_mutex_unlock(&b->lock);
		item_free(it);
		return;
	}
	*b->last = it;
	b->last = &it->next;
	b->items++;
	pthread_mutex_unlock(&b->lock);
	if (write(b->event, &one, sizeof one) < 0) {
		/* the counter is at its most: the owner is woken already */
	}
}

static struct item *item_new(enum item_kind kind, const char *text)
{
	struct item *it = calloc(1, sizeof *it);

	if (!it)
		return NULL;
	it->kind = kind;
	if (text && !(it->topic = strdup(text))) {
		free(it);
		return NULL;
	}
	return it;
}

static void *copy(const void *data, size_t len)
{
	void *p = malloc(len ? len : 1);

	if (p && len)
		memcpy(p, data, len);
	return p;
}

/* ---- the window ---- */

/* What has left or will not: under the lock. */
static void held_forget(struct broker *b, struct held *h)
{
	b->held_bytes -= h->len;
	b->held_n--;
	*h = (struct held){ 0 };
}

static struct held *held_find(struct broker *b, int mid)
{
	for (size_t i = 0; i < BROKER_WINDOW; i++)
		if (b->held[i].mid == mid)
			return &b->held[i];
	return NULL;
}

static void on_publish(struct mosquitto *m, void *arg, int mid)
{
	struct broker *b = arg;
	struct held *h;

	(void)m;
	pthread_mutex_lock(&b->lock);
	h = held_find(b, mid);
	if (h)
		held_forget(b, h);
	pthread_mutex_unlock(&b->lock);
}

static void lose_connection(struct broker *b)
{
	pthread_mutex_lock(&b->lock);
	b->connected = false;
	for (size_t i = 0; i < BROKER_WINDOW; i++)
		if (b->held[i].mid && b->held[i].qos == 0)
			held_forget(b, &b->held[i]);
	pthread_mutex_unlock(&b->lock);
}

unsigned broker_outstanding(struct broker *b)
{
	unsigned n;

	pthread_mutex_lock(&b->lock);
	n = b->held_n;
	pthread_mutex_unlock(&b->lock);
	return n;
}

/* ---- callbacks of the library, in the thread ---- */

static void on_connect(struct mosquitto *m, void *arg, int reason, int flags, const mosquitto_property *props)
{
	struct broker *b = arg;
	struct item *it;

	(void)flags;
	(void)props;
	if (reason) {
		tell(b,
		     item_new(ITEM_DOWN, b->v5 ? mosquitto_reason_string(reason) : mosquitto_connack_string(reason)));
		return;
	}
	for (char **s = b->subscriptions; s && *s; s++)
		mosquitto_subscribe_v5(m, NULL, *s, 1,
				       b->v5 ? MQTT_SUB_OPT_SEND_RETAIN_NEVER | MQTT_SUB_OPT_RETAIN_AS_PUBLISHED : 0,
				       NULL);
	it = item_new(ITEM_UP, NULL);
	pthread_mutex_lock(&b->lock);
	b->connected = true;
	b->connection++;
	if (it)
		it->connection = b->connection;
	pthread_mutex_unlock(&b->lock);
	tell(b, it);
}

static void read_properties(struct item *it, const mosquitto_property *props)
{
	uint16_t len = 0;

	(void)mosquitto_property_read_string(props, MQTT_PROP_RESPONSE_TOPIC, &it->response_topic, false);
	(void)mosquitto_property_read_binary(props, MQTT_PROP_CORRELATION_DATA, &it->correlation, &len, false);
	it->correlation_len = len;
}

static void on_message(struct mosquitto *m, void *arg, const struct mosquitto_message *msg,
		       const mosquitto_property *props)
{
	struct item *it = item_new(ITEM_MESSAGE, msg->topic);

	(void)m;
	if (!it)
		return;
	it->retained = msg->retain;
	it->too_big = msg->payloadlen > BROKER_MESSAGE_MAX;
	if (!it->too_big && msg->payloadlen > 0) {
		it->len = (size_t)msg->payloadlen;
		it->payload = copy(msg->payload, it->len);
		if (!it->payload) {
			item_free(it);
			return;
		}
	}
	read_properties(it, props);
	tell(arg, it);
}

/* ---- the thread ---- */

static bool stopping(struct broker *b)
{
	bool stop;

	pthread_mutex_lock(&b->lock);
	stop = b->stop;
	pthread_mutex_unlock(&b->lock);
	return stop;
}

static void wait_ms(struct broker *b, uint32_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&b->lock);
	while (!b->stop && pthread_cond_timedwait(&b->stopped, &b->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&b->lock);
}

/* What is JSON is said to be UTF-8. */
static void add_type(mosquitto_property **props, const char *type)
{
	const char *said = type ? type : "application/json";

	if (strstr(said, "json"))
		(void)mosquitto_property_add_byte(props, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
	(void)mosquitto_property_add_string(props, MQTT_PROP_CONTENT_TYPE, said);
}

static int set_will(struct broker *b, const void *will, size_t len)
{
	mosquitto_property *props = NULL;
	int err;

	if (b->v5)
		add_type(&props, b->will_content_type);
	if (b->v5 && b->will_delay_s)
		(void)mosquitto_property_add_int32(&props, MQTT_PROP_WILL_DELAY_INTERVAL, b->will_delay_s);
	err = mosquitto_will_set_v5(b->m, b->will_topic, (int)len, will, 1, b->will_retain, props);
	if (err)
		mosquitto_property_free_all(&props);
	return err;
}

static int connect_once(struct broker *b)
{
	mosquitto_property *props = NULL;
	uint8_t will[1024];
	int err;

	if (b->will_topic && b->will_of) {
		err = set_will(b, will, b->will_of(b->arg, will, sizeof will));
		if (err)
			return err;
	}
	if (b->v5 && !b->clean)
		(void)mosquitto_property_add_int32(&props, MQTT_PROP_SESSION_EXPIRY_INTERVAL, SESSION_EXPIRY_S);
	if (b->v5)
		(void)mosquitto_property_add_int32(&props, MQTT_PROP_MAXIMUM_PACKET_SIZE, BROKER_PACKET_MAX);
	err = mosquitto_connect_bind_v5(b->m, b->host, b->port, KEEPALIVE_S, NULL, props);
	mosquitto_property_free_all(&props);
	return err;
}

static const char *error_text(int err)
{
	return err == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(err);
}

static void *run(void *arg)
{
	struct broker *b = arg;
	uint32_t backoff = BACKOFF_FIRST_MS;

	while (!stopping(b)) {
		bool was_up = false;
		int err = connect_once(b);

		while (!err) {
			err = mosquitto_loop(b->m, 1000, 1);
			pthread_mutex_lock(&b->lock);
			was_up = was_up || b->connected;
			pthread_mutex_unlock(&b->lock);
		}
		lose_connection(b);
		if (stopping(b))
			break;
		tell(b, item_new(ITEM_DOWN, error_text(err)));
		if (was_up)
			backoff = BACKOFF_FIRST_MS;
		wait_ms(b, backoff);
		backoff = backoff * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : backoff * 2;
	}
	return NULL;
}

/* ---- what the owner calls ---- */

int broker_fd(const struct broker *b)
{
	return b->event;
}

static struct item *take_item(struct broker *b)
{
	struct item *it;

	pthread_mutex_lock(&b->lock);
	it = b->first;
	if (it) {
		b->first = it->next;
		if (!b->first)
			b->last = &b->first;
		b->items--;
	}
	pthread_mutex_unlock(&b->lock);
	return it;
}

static void tell_message(struct broker *b, const struct item *it)
{
	const struct broker_message m = { .topic = it->topic,
					  .payload = it->payload,
					  .len = it->len,
					  .too_big = it->too_big,
					  .retained = it->retained,
					  .response_topic = it->response_topic,
					  .correlation = it->correlation,
					  .correlation_len = it->correlation_len };

	b->ev.message(b->arg, &m);
}

void broker_ready(struct broker *b)
{
	uint64_t n;
	struct item *it;

	if (read(b->event, &n, sizeof n) < 0) {
		/* nothing new: what is queued is told all the same */
	}
	while ((it = take_item(b))) {
		switch (it->kind) {
		case ITEM_UP:
			b->up = true;
			b->up_connection = it->connection;
			b->ev.up(b->arg);
			break;
		case ITEM_DOWN:
			b->up = false;
			b->ev.down(b->arg, it->topic);
			break;
		case ITEM_MESSAGE:
			tell_message(b, it);
			break;
		}
		item_free(it);
	}
}

bool broker_is_up(const struct broker *b)
{
	return b->up;
}

static mosquitto_property *publish_properties(const struct broker *b, const struct broker_publish *p)
{
	mosquitto_property *props = NULL;

	if (!b->v5)
		return NULL;
	if (p->len)
		add_type(&props, p->content_type);
	if (p->correlation && p->correlation_len <= UINT16_MAX)
		(void)mosquitto_property_add_binary(&props, MQTT_PROP_CORRELATION_DATA, p->correlation,
						    (uint16_t)p->correlation_len);
	return props;
}

/* The library may confirm a message before its id is known here: so both happen under the lock. */
int broker_publish(struct broker *b, const struct broker_publish *p)
{
	mosquitto_property *props;
	struct held *h;
	int mid = 0, err;

	if (!b->up)
		return -ENOTCONN;
	props = publish_properties(b, p);
	pthread_mutex_lock(&b->lock);
	h = held_find(b, 0);
	if (!b->connected || b->connection != b->up_connection) /* nothing on one that the owner does not know yet */
		err = -ENOTCONN;
	else if (!h || b->held_bytes + p->len > BROKER_WINDOW_BYTES)
		err = -EAGAIN;
	else if (mosquitto_publish_v5(b->m, &mid, p->topic, (int)p->len, p->payload, p->qos, p->retain, props))
		err = -EINVAL;
	else {
		*h = (struct held){ mid, p->qos, p->len };
		b->held_n++;
		b->held_bytes += p->len;
		err = 0;
	}
	pthread_mutex_unlock(&b->lock);
	mosquitto_property_free_all(&props);
	return err;
}

/* ---- open and close ---- */

static char **copy_texts(const char *const *texts)
{
	size_t n = 0;
	char **all;

	while (texts[n])
		n++;
	all = calloc(n + 1, sizeof *all);
	for (size_t i = 0; all && i < n; i++)
		if (!(all[i] = strdup(texts[i])))
			break; /* NULL ends the list: the rest is not subscribed, which open notices */
	return all;
}

static int setup(struct broker *b, const struct broker_conf *c, const char **why)
{
	SSL_CTX *ctx;
	int err;

	(void)mosquitto_int_option(b->m, MOSQ_OPT_PROTOCOL_VERSION, b->v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
	(void)mosquitto_int_option(b->m, MOSQ_OPT_TCP_NODELAY, 1);
	(void)mosquitto_int_option(b->m, MOSQ_OPT_SEND_MAXIMUM, BROKER_WINDOW); /* or as many as the broker takes */
	(void)mosquitto_threaded_set(b->m, true);
	mosquitto_connect_v5_callback_set(b->m, on_connect);
	mosquitto_message_v5_callback_set(b->m, on_message);
	mosquitto_publish_callback_set(b->m, on_publish);
	if (c->user && mosquitto_username_pw_set(b->m, c->user, c->password))
		return -ENOMEM;
	if (c->will_topic && !c->will_of && set_will(b, c->will, strlen(c->will)))
		return -EINVAL;
	if (!c->tls)
		return 0;
	err = tls_new(&ctx, c, why);
	if (err)
		return err;
	(void)mosquitto_int_option(b->m, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0); /* nothing of its own is put over ours */
	err = mosquitto_void_option(b->m, MOSQ_OPT_SSL_CTX, ctx) ? -ENOMEM : 0; /* it takes a reference of its own */
	SSL_CTX_free(ctx);
	return err;
}

static void broker_free(struct broker *b)
{
	struct item *it;

	if (b->m)
		mosquitto_destroy(b->m);
	while ((it = take_item(b)))
		item_free(it);
	for (char **s = b->subscriptions; s && *s; s++)
		free(*s);
	free(b->subscriptions);
	free(b->host);
	free(b->will_topic);
	if (b->event >= 0)
		close(b->event);
	pthread_cond_destroy(&b->stopped);
	pthread_mutex_destroy(&b->lock);
	free(b);
	mosquitto_lib_cleanup();
}

static void init_locks(struct broker *b)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->stopped, &attr);
	pthread_condattr_destroy(&attr);
}

int broker_open(struct broker **out, const struct broker_conf *c, const struct broker_events *ev, void *arg,
		const char **why)
{
	struct broker *b = calloc(1, sizeof *b);
	int err = -ENOMEM;

	*why = "out of memory";
	if (!b)
		return -ENOMEM;
	mosquitto_lib_init();
	init_locks(b);
	b->last = &b->first;
	b->ev = *ev;
	b->arg = arg;
	b->port = c->port;
	b->v5 = c->v5;
	b->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	b->host = strdup(c->host);
	b->subscriptions = copy_texts(c->subscriptions);
	b->clean = c->clean;
	b->will_topic = c->will_topic ? strdup(c->will_topic) : NULL;
	b->will_retain = c->will_retain;
	b->will_delay_s = c->will_delay_s;
	b->will_of = c->will_of;
	b->will_content_type = c->will_content_type;
	b->m = mosquitto_new(c->client_id, c->clean, b);
	if (b->event >= 0 && b->host && b->subscriptions && b->m && (b->will_topic || !c->will_topic))
		err = setup(b, c, why);
	if (!err)
		err = -pthread_create(&b->thread, NULL, run, b);
	if (err) {
		broker_free(b);
		return err;
	}
	b->running = true;
	*out = b;
	return 0;
}

/* It has left when the library has nothing left in its hands, or not at all when the broker does not listen. */
static void say_goodbye(struct broker *b, const struct broker_publish *last)
{
	struct timespec pause = { 0, 10000000 };

	if (broker_publish(b, last))
		return;
	for (int waited = 0; waited < GOODBYE_MS && broker_outstanding(b); waited += 10)
		nanosleep(&pause, NULL);
}

void broker_close(struct broker *b, const struct broker_publish *last)
{
	if (!b)
		return;
	if (last)
		say_goodbye(b, last);
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->stopped);
	pthread_mutex_unlock(&b->lock);
	(void)mosquitto_disconnect(b->m);
	pthread_join(b->thread, NULL);
	broker_free(b);
}
