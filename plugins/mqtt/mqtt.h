/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt.h - what the files of the mqtt plug-in share */
#ifndef NIDDGW_MQTT_MQTT_H
#define NIDDGW_MQTT_MQTT_H

#include "broker.h"
#include "niddgw/plugin.h"
#include "spool.h"
#include "topic.h"

enum { TOPIC_MAX = 1024, COMMANDS_MAX = 64, NAMES_MAX = 4096, VALUES_MAX = 65536 };

/* A command that the gateway has not answered finally. */
struct pending {
	uint64_t cookie;       /* 0: a free place */
	char *response_topic;  /* owned; NULL: the one of the command */
	void *correlation;     /* owned */
	size_t correlation_len;
};

struct last_value;
struct mqtt {
	struct niddgw_host *host;
	struct broker *broker;
	struct spool *states, *events; /* what is retained, and what is not */
	char base[TOPIC_MAX / 2];      /* PREFIX/v1/GATEWAY */
	unsigned flags;                /* NIDDGW_JSON_ */
	bool raw_payload, last_value;
	char *conn;                    /* owned; the document of state/conn; NULL: none yet */
	char *buf;                     /* owned; JSON of one record */
	size_t buf_size;
	bool down_told;                /* that the broker is away, in the log */
	bool events_held;              /* until all states have been told to a broker that is back */
	bool replay_owed;              /* state documents were lost on the way */
	uint64_t dropped, dropped_told; /* since the alarm was cleared */
	char *names[NAMES_MAX];        /* owned; devices whose level is a hash */
	size_t names_n;
	struct last_value **values;    /* owned */
	size_t values_n;
	void *values_tree;             /* the same, by topic */
	bool values_due;               /* some of them are to be published */
	bool pump_due;                 /* the timer runs; what comes meanwhile does not put it off */
	struct pending pending[COMMANDS_MAX];
	uint64_t next_cookie;
};

/* ---- publish.c ---- */
enum publish_kind {
	PUBLISH_STATE, /* retained, QoS 1; an empty one clears */
	PUBLISH_EVENT, /* QoS 1, kept on disk while the broker is away */
	PUBLISH_LOOSE, /* QoS 0, not kept */
};
/* suffix: below B. 0, or -EAGAIN: it is lost (counted). */
int publish(struct mqtt *p, enum publish_kind kind, const char *suffix, const char *json);
/* Below B/dev/DEVICE. */
int publish_device(struct mqtt *p, enum publish_kind kind, const char *device, const char *suffix, const char *json);
int publish_answer(struct mqtt *p, const char *topic, const void *correlation, size_t correlation_len, const char *json); /* topic whole */
void publish_kept(struct mqtt *p); /* as much of what waits as there is room for; sets the timer when more is left */
void publish_later(struct mqtt *p); /* the same, soon */
void lost(struct mqtt *p, uint64_t n, const char *reason); /* "spool", "broker" (does not take it) or "memory" */
void time_text(char buf[32], uint64_t wall_ms); /* RFC 3339 */

/* A retained message of QoS 0. 0, or a negative errno: there is no room now. */
int publish_value_now(struct mqtt *p, const char *suffix, const char *json);

/* ---- values.c ---- */
void value_set(struct mqtt *p, const char *suffix, const char *json);
void values_clear(struct mqtt *p, const char *device); /* its topics are emptied */
void values_again(struct mqtt *p);   /* the broker may have forgotten them */
bool values_publish(struct mqtt *p); /* those that are due, as far as there is room; false: some are left */
void values_free(struct mqtt *p);

/* ---- command.c ---- */
void command_came(struct mqtt *p, const struct broker_message *m);
int command_answered(struct mqtt *p, const struct niddgw_answer *a);
void commands_free(struct mqtt *p);

#endif
