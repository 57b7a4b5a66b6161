/* SPDX-License-Identifier: Apache-2.0 */
/* broker.h - one connection to an MQTT broker, kept up for ever
 *
 * libmosquitto resolves, connects and shakes hands with blocking calls, so it has a thread of its own. What happens there is told on the
 * plug-in's thread: the owner watches broker_fd() and calls broker_ready(). Everything else is called on the plug-in's thread too.
 */
#ifndef NIDDGW_MQTT_BROKER_H
#define NIDDGW_MQTT_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker;

struct broker_conf {          /* everything is copied */
	const char *host;
	uint16_t port;
	bool tls, v5;
	const char *client_id;
	const char *user, *password;      /* NULL: none */
	const char *ca_file;              /* NULL: the system's */
	const char *server_name;          /* checked in the certificate; NULL: host */
	const char *cert_file, *key_file; /* NULL: none */
	const char *will_topic, *will;    /* QoS 1; will_topic NULL: none */
	bool will_retain;
	const char *will_content_type; /* as below; a literal */
	uint32_t will_delay_s;
	/* In place of will, asked before each attempt to connect, on the connection's own thread: octets written to buf. */
	size_t (*will_of)(void *arg, uint8_t *buf, size_t size);
	bool clean;                       /* the broker keeps nothing of a former connection */
	const char *const *subscriptions; /* NULL-terminated; QoS 1, nothing that is retained */
};

enum { BROKER_WINDOW = 256, BROKER_WINDOW_BYTES = 1 << 20, BROKER_MESSAGE_MAX = 64 << 10, BROKER_QUEUE_MAX = 256,
       BROKER_PACKET_MAX = 2 << 20 /* what a broker of MQTT 5 need not keep to itself: who sends too much is to be told so */ };

struct broker_message {
	const char *topic;
	const void *payload;
	size_t len;
	bool too_big; /* above BROKER_MESSAGE_MAX: the payload is left out */
	bool retained;
	const char *response_topic; /* NULL: none */
	const void *correlation;
	size_t correlation_len;
};
struct broker_events {
	void (*up)(void *arg);
	void (*down)(void *arg, const char *why); /* also each failed attempt, while it is not up */
	void (*message)(void *arg, const struct broker_message *m);
};

/* Begins to connect. 0; -EINVAL bad TLS files (*why says which); -ENOMEM. *why is static text. */
int broker_open(struct broker **out, const struct broker_conf *conf, const struct broker_events *ev, void *arg, const char **why);
int broker_fd(const struct broker *b);  /* readable when broker_ready() has something to tell */
void broker_ready(struct broker *b);
bool broker_is_up(const struct broker *b);
/* Messages taken by broker_publish() that have not left (QoS 0) or are not acknowledged (QoS 1), at most BROKER_WINDOW. */
unsigned broker_outstanding(struct broker *b);

struct broker_publish {
	const char *topic;
	const void *payload;
	size_t len;
	int qos;
	bool retain;
	const char *content_type; /* NULL: "application/json"; what is JSON is said to be UTF-8 */
	const void *correlation;  /* MQTT 5; NULL: none */
	size_t correlation_len;
};
/* Publishes last (a goodbye; NULL: none), says DISCONNECT and waits at most two seconds for that. NULL broker is fine. */
void broker_close(struct broker *b, const struct broker_publish *last);
int broker_publish(struct broker *b, const struct broker_publish *p); /* 0; -ENOTCONN; -EAGAIN: the window is full; -EINVAL: no topic that MQTT takes */

#endif
