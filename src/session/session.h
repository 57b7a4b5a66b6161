/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - devices and what passes between them and their servers
 *
 * One session per device: identity, exchanges in both directions, observe relations, the message layer of both legs. It
 * is driven by link events, north events and timers, and drives links and associations through link.h and north.h.
 */
#ifndef NIDDGW_SESSION_SESSION_H
#define NIDDGW_SESSION_SESSION_H

#include "link/link.h"
#include "north/north.h"
#include "session/conf.h"
#include "store/store.h"

struct mirror;
struct sessions; /* all of them */

struct sessions_env {
	struct timers *timers;
	struct metrics *metrics;
	struct alarms *alarms;
	const char *gateway_id; /* named in 5.08 diagnostics */
	struct store *store;    /* NULL: nothing survives a restart */
	struct mirror *mirror;  /* is shown what devices report; NULL: nobody is */
	size_t exchanges_max;   /* open at once in all: above it links are told LINK_OVERLOAD; 0: 100 000 */
};
int sessions_new(struct sessions **out, const struct sessions_env *env);
void sessions_free(struct sessions *s); /* links and servers are still open; detaches every device */

/* What links and associations call; the arg of links and of north_env is the struct sessions. */
extern const struct link_events session_link_events;
extern const struct north_events session_north_events;

/* The running counterparts of one checked configuration. Everything is borrowed until the next sessions_configure(). */
struct sessions_conf {
	struct link *const *links;
	size_t links_n;
	struct north_server *const *servers;
	size_t servers_n;
	const struct conf_list *profiles, *devices;
	const struct conf_list *link_confs, *server_confs, *rules; /* what records that are not in the files are checked against; NULL: empty */
	const char *dir; /* where relative paths of such records begin; NULL: they are to be absolute */
};
/**
 * Take over a configuration: devices that are new are attached, those that are gone are detached and forgotten, changed
 * ones go on under the new record. A link or server that is about to be closed must have been withdrawn here first.
 * @return 0; -ENOMEM, then the configuration is taken over as far as it went and the rest is logged
 */
struct sessions_change {
	size_t added, removed, changed, failed;
};
int sessions_configure(struct sessions *s, const struct sessions_conf *conf, struct sessions_change *change);

/* After the first sessions_configure() and before the loop runs: registrations, relations, ids and ports as they were, then what the
 * journal holds: sent again, waited for or answered as before. 0; -ENOMEM; or what the store says. */
int sessions_restore(struct sessions *s);
/* Hands what has changed to the store now instead of within the next tick; before store_close(). */
void sessions_save(struct sessions *s);

/* ---- for control: read only ---- */
size_t sessions_devices(const struct sessions *s);
size_t sessions_open(const struct sessions *s); /* exchanges that somebody still waits for */
struct device *sessions_find(const struct sessions *s, const char *name);
typedef bool sessions_each_fn(void *arg, const struct device *d); /* false: stop */
void sessions_each(const struct sessions *s, sessions_each_fn *fn, void *arg); /* in order of configuration, stored ones behind it */
/* The same from a place on, 0 for the first; returns the place to go on from, the end when it is not below sessions_places(). */
size_t sessions_each_from(const struct sessions *s, size_t place, sessions_each_fn *fn, void *arg);
size_t sessions_places(const struct sessions *s);

enum device_state { DEVICE_UNKNOWN, DEVICE_REGISTERED, DEVICE_UNREGISTERED, DEVICE_EXPIRED, DEVICE_BARRED, DEVICE_STATE_COUNT };
enum device_reach { REACH_UNKNOWN, REACH_AWAKE, REACH_SLEEPING, REACH_COUNT };
extern const char *const device_state_names[DEVICE_STATE_COUNT];
extern const char *const device_reach_names[REACH_COUNT];
struct device_server_status {
	const char *name;
	bool registered;
	uint64_t lifetime_s, expires_wall_ms;
	const char *lwm2m;   /* "1.1"; NULL unknown */
	char binding[16];    /* as registered; "" unknown */
	bool queue_mode;
	const char *security;/* of what passes: "oscore", else that of the association: "none" "psk" "x509" "rpk" */
	bool switch_expected;/* it was told to register with this server over another bearer */
	uint16_t port;       /* of the association; 0: none */
	unsigned observations, queued;
};
struct device_status {
	const char *name, *ep, *link, *link_type, *profile; /* ep NULL: not known */
	const struct device_conf *conf;
	bool stored; /* the record is none of the files */
	enum device_state state;
	enum device_reach reach;
	uint64_t since_wall_ms; /* of the state, where it is known; else 0 */
	uint64_t last_up_wall_ms, last_down_wall_ms; /* 0: never */
	uint64_t awake_until_wall_ms; /* 0: it is asleep, or always awake */
	bool rate;                    /* a budget holds: the window with the least room */
	uint32_t rate_limit, rate_used;
	uint64_t rate_window_s;
	uint32_t mtu;
	const char *mtu_origin;
	unsigned queue;      /* requests of servers on their way down */
	uint64_t queue_oldest_s;
	unsigned exchanges;  /* open, both directions */
	uint64_t units_up, units_down;
	const char *relay;   /* server that its DTLS records go to; NULL: none have come */
	uint16_t relay_port;
	size_t servers_n;
	struct device_server_status servers[8];
};
void device_status(const struct device *d, struct device_status *st);

/* ---- what waits for somebody: requests of either side, notifications that are kept for their server, answers on their way down ---- */
enum queue_kind { QUEUE_REQUEST, QUEUE_NOTIFICATION, QUEUE_ANSWER, QUEUE_KIND_COUNT };
enum queue_state {
	QUEUE_WAITS,    /* has not left, or waits to leave again: for the device, its server, the budget, the disk */
	QUEUE_SENT,     /* has left; an acknowledgement or answer is due */
	QUEUE_BUFFERED, /* the network keeps it for the device */
	QUEUE_ACKED,    /* confirmed; its answer is due */
	QUEUE_STATE_COUNT
};
extern const char *const queue_kind_names[QUEUE_KIND_COUNT];   /* "request", .. */
extern const char *const queue_state_names[QUEUE_STATE_COUNT]; /* "queued", "sent", .. as event/down has them */
struct queue_item {
	const char *device, *server;
	bool up;               /* from the device */
	enum queue_kind kind;
	enum queue_state state;
	uint8_t code;
	const char *op;        /* "register", "read", ..; NULL: it cannot be seen */
	const char *path;      /* "/3/0/1"; NULL: the same, or there is none; borrowed for the call */
	bool con;
	size_t bytes;          /* of the whole message as it goes on */
	uint64_t age_ms, left_ms; /* left: until somebody is told an error, or it is dropped */
};
typedef bool queue_each_fn(void *arg, const struct queue_item *it); /* false: stop before it */
/**
 * What waits, device by device, the oldest of each first.
 * @param d     only this device; NULL: all
 * @param from  0, or what the call before returned: things that come or go in between may be missed or seen twice
 * @return where to go on, which may be without a single call of fn: one call looks at so many devices only; 0: that was all
 */
uint64_t sessions_queue(const struct sessions *s, const struct device *d, uint64_t from, queue_each_fn *fn, void *arg);

size_t device_link_text(const struct device *d, char *buf, size_t size); /* link_ops.describe */
const char *device_name(const struct device *d);

#endif
