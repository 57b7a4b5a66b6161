/* SPDX-License-Identifier: Apache-2.0 */
/* sparkplug.h - what the files of the sparkplug plug-in share
 *
 * The gateway is an edge node, each device a device below it. A resource is a metric, named OBJECT/INSTANCE/RESOURCE[/INSTANCE].
 */
#ifndef NIDDGW_SPARKPLUG_SPARKPLUG_H
#define NIDDGW_SPARKPLUG_SPARKPLUG_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "../mqtt/broker.h"
#include "../mqtt/topic.h"
#include "niddgw/plugin.h"
#include "sparkplug.pb-c.h"

#define SP_CONTENT_TYPE "application/x-protobuf"
enum {
	METRICS_MAX = 512,   /* of one device; what is more is not shown */
	TEXT_MAX = 4096,     /* octets of a text or opaque value; a longer one is null, and not written */
	DEVICES_MAX = 1 << 20,
	SP_TOPIC_MAX = 640,
};
/* Data types of the specification, 6.4.16. */
enum { SP_INT64 = 4, SP_UINT64 = 8, SP_DOUBLE = 10, SP_BOOLEAN = 11, SP_STRING = 12, SP_DATETIME = 13, SP_BYTES = 17 };

struct metric {
	uint64_t alias;
	uint64_t time_ms;
	uint64_t turn;    /* of struct sparkplug when it was taken last */
	uint16_t path[4];
	uint8_t path_len;
	uint8_t datatype;
	bool is_null, boolean;
	uint64_t number;  /* of integers, as two's complement, and times */
	double real;
	uint8_t *data;    /* owned; text or octets, with a NUL behind them */
	size_t len;
	char unit[32];
};

struct sp_device {
	char *name;       /* owned */
	size_t at;        /* in the array */
	bool registered;
	bool born;        /* its DBIRTH has gone out on this connection, with all its metrics */
	bool due;         /* in the queue of those that are to be born */
	TAILQ_ENTRY(sp_device) link;
	struct metric *metrics; /* owned; in order of their paths */
	size_t metrics_n;
};

TAILQ_HEAD(sp_devices, sp_device);

struct sparkplug {
	struct niddgw_host *host;
	struct broker *broker;
	char group[TOPIC_LEVEL_SIZE], node[TOPIC_LEVEL_SIZE];
	_Atomic uint64_t bd_seq;  /* of the connection that is up or being made */
	int bd_seq_file;          /* where it survives */
	uint8_t seq;
	bool born;                /* NBIRTH has gone out */
	bool down_told;
	uint64_t next_alias, turn;
	void *tree;               /* of devices, by name */
	struct sp_device **devices; /* owned array and devices */
	size_t devices_n;
	struct sp_devices due;
	uint64_t commands;
};

/* ---- payload.c ---- */
/* Copies a value; false: it is none that a metric can have. */
bool metric_set(struct metric *m, const struct niddgw_value *v, uint64_t arrival_ms);
void metric_fini(struct metric *m);
void metric_name(const struct metric *m, char buf[32]);
/* Fills out from m, with name and properties for a birth; what it points to is borrowed from m, name and holder. */
struct metric_holder {
	Spb__PropertySet set;
	Spb__PropertyValue value, *values[1];
	char *keys[1];
	char name[32];
};
void metric_show(const struct metric *m, Spb__Metric *out, struct metric_holder *holder, bool birth);

/* ---- publish.c ---- */
void node_birth(struct sparkplug *p);
void device_death(struct sparkplug *p, struct sp_device *d);
void births(struct sparkplug *p); /* as many as there is room for; sets the timer when more are due */
void birth_due(struct sparkplug *p, struct sp_device *d);
void birth_off(struct sparkplug *p, struct sp_device *d);
void birth_again(struct sparkplug *p, struct sp_device *d); /* it has a metric that is in no birth */
void device_data(struct sparkplug *p, struct sp_device *d, const size_t *which, size_t n);
size_t node_death(struct sparkplug *p, uint8_t *buf, size_t size); /* any thread: the will, and what is said at the end */
int topic_of(const struct sparkplug *p, const char *type, const char *device, char topic[SP_TOPIC_MAX]); /* -EMSGSIZE */

/* ---- command.c ---- */
void command_came(struct sparkplug *p, const struct broker_message *m);
int command_answered(struct sparkplug *p, const struct niddgw_answer *a);

/* ---- sparkplug.c ---- */
struct sp_device *device_of(struct sparkplug *p, const char *name, bool make);

#endif
