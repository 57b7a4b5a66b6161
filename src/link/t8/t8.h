/* SPDX-License-Identifier: Apache-2.0 */
/* t8.h - what the files of this room share
 *
 *   request   one HTTP request to the peer: address, metrics, circuit
 *   device    what is kept of a device, and how a notification finds it
 *   config    the life of its configuration at the peer, a table of states
 *   audit     the list of all configurations: at the start, every six hours, after surprises; the sweep over deadlines
 *   deliver   its downlink queue: one request under way per device
 *   pending   deliveries that the peer keeps, and statuses that came before their delivery was known
 *   callback  the listener, and who may call
 *   uplink    what a notification does
 *   keep      what is remembered of a device over a restart
 *   resume    the look-up of what the peer kept meanwhile
 *   drain     a link that is withdrawn, and deletes what it made
 *
 * After telling the session anything a device may be gone (detached in the call): the t8_tell_ functions say whether it is.
 */
#ifndef NIDDGW_LINK_T8_T8_H
#define NIDDGW_LINK_T8_T8_H

#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/timer.h"
#include "http/client.h"
#include "http/server.h"
#include "link/t8/answer.h"
#include "link/t8/circuit.h"
#include "link/t8/conf.h"
#include "link/t8/decide.h"
#include "link/t8/list.h"
#include "link/t8/notify.h"
#include "link/t8/path.h"

#define ROOM "t8"
#define T8_DELIVERIES "/downlink-data-deliveries"
#define CONFIG_CALLS_MAX 8           /* configuration requests under way at once */
#define QUEUE_MAX 16                 /* units that wait in one device */
#define QUEUED_MAX 20000             /* and in all */
#define PENDING_MAX 64               /* deliveries of one device that the peer keeps */
#define PENDINGS_MAX 20000           /* and in all */
#define UNMATCHED_MAX 256            /* statuses that came early */
#define UNMATCHED_MS 60000
#define HOLD_MAX 64                  /* notifications that wait for a configuration to become known */
#define HOLD_MS 5000
#define NO_DEADLINE_MS 247000        /* a unit without deadline waits as long as its message id means anything (EXCHANGE_LIFETIME) */
#define LOOKUPS_MAX 4                /* look-ups after a restart under way at once */
#define AUDIT_MS (6u * 3600 * 1000)
#define AUDIT_GAP_MS 60000           /* least time between two lists after surprises */
#define TEST_WAIT_S 30               /* a test notification is missed after this */
#define ALARM_HOLD_MS 600000         /* an alarm about callers clears itself when nothing like it came for this long */

struct t8_call;
struct t8_dev;
struct t8_link;

/* ---- requests ---- */
enum t8_op { T8_OP_LIST, T8_OP_CREATE, T8_OP_PATCH, T8_OP_DELETE, T8_OP_READ, T8_OP_DELIVER, T8_OP_LOOKUP, T8_OP_CANCEL, T8_OP_COUNT };
struct t8_reply {
	const struct http_result *http;
	struct t8_delivery_answer a; /* read from any answer but a list */
};
typedef void t8_done_fn(struct t8_call *c, const struct t8_reply *r);
struct t8_call {
	LIST_ENTRY(t8_call) link;
	struct t8_link *l;
	struct t8_dev *d;       /* NULL: none, or detached meanwhile */
	struct http_call *http;
	t8_done_fn *done;       /* c is freed after it */
	uint64_t started_ms;
	enum t8_op op;
	bool probe;             /* it has the circuit's one leave */
	bool last;              /* of a device that is gone for good: goes on when the link is closed. What a CREATE made is deleted */
	size_t suffix_len;      /* of the URL, behind the base: a 308 moves the base */
};
LIST_HEAD(t8_calls, t8_call);
/**
 * @param tail  resource below /3gpp-nidd/v1/, in path form
 * @param more  appended to it: "/downlink-data-deliveries"; "" for none
 * @param part  of a list, else NULL
 * @return 0; -EAGAIN the peer may not be asked now or its queue is full; -ENOMEM; -EINVAL
 */
int t8_request(struct t8_link *l, struct t8_call **out, enum t8_op op, struct t8_dev *d, const char *tail, const char *more, const void *body,
	       size_t len, http_part_fn *part, t8_done_fn *done);
void t8_token_result(struct t8_link *l, bool ok); /* a token was fetched, or was not to be had: requests wait for it */
void t8_call_drop(struct t8_call *c); /* cancels and frees: done is not called */

/* ---- devices ---- */
enum t8_cfg {
	T8_CFG_ABSENT,     /* the peer has none that we know of */
	T8_CFG_CREATING,
	T8_CFG_CONFLICT,   /* the peer refused to make one: perhaps it has one, the list will tell */
	T8_CFG_STALE,      /* there is one, with another callback */
	T8_CFG_PATCHING,
	T8_CFG_DELETING,   /* to be made again */
	T8_CFG_ACTIVE,
	T8_CFG_RENEWING,
	T8_CFG_TERMINATED, /* it was lost or ended; made again, ever more slowly */
	T8_CFG_REJECTED,   /* the peer does not know the user; tried hourly */
	T8_CFG_BARRED,     /* the right was withdrawn; tried daily */
	T8_CFG_COUNT
};
enum t8_cfg_ev {
	T8_EV_TURN,        /* its turn to be worked on */
	T8_EV_REPLACE,     /* the same, where the peer cannot change a callback */
	T8_EV_CREATED,
	T8_EV_EXISTS,      /* refused: 400, 403, 409 */
	T8_EV_UNKNOWN_USER,
	T8_EV_MISSING,     /* not in the list either */
	T8_EV_FAULT,       /* no usable answer */
	T8_EV_FOUND,       /* in the list, as it should be */
	T8_EV_FOUND_STALE, /* in the list, with another callback */
	T8_EV_PATCHED,
	T8_EV_NOT_PATCHED,
	T8_EV_DELETED,
	T8_EV_GONE,        /* 404 on use, expired, or no longer listed */
	T8_EV_TERMINATED,
	T8_EV_UNAUTHORIZED,
	T8_EV_STATUS_ACTIVE,
	T8_EV_COUNT
};
extern const char *const t8_cfg_names[T8_CFG_COUNT];
extern const char *const t8_cfg_ev_names[T8_EV_COUNT];

enum {
	D_QUEUED = 1,      /* in one of the link's work lists */
	D_HOT = 2,         /* in the hot one */
	D_CALLING = 4,     /* a configuration request is under way */
	D_RENEW = 8,       /* its turn is for a renewal */
	D_TEST = 16,       /* a test notification is expected */
	D_MTU_NEWS = 32,   /* the session has not been told */
	D_BARRED = 64,     /* the session was told so */
	D_LOST = 128,      /* counted in the alarm t8.config_lost */
	D_FORBIDDEN = 256, /* the last create was answered 403 */
	D_PROVEN = 512,    /* a test notification or a unit came through the callback */
	D_NO_PATCH = 1024, /* the peer would not change the callback: replace */
	D_REFUSED = 2048,  /* the last create was refused otherwise */
	D_AGAIN = 4096,    /* to be queued when the request under way is answered */
	D_NEWS = 8192,     /* restored: the session is to be told of it when the loop runs */
	D_LOOKUP = 16384,  /* what the peer kept in the life before is looked up before anything is sent */
};

struct t8_alias { /* the identity of the other kind, learnt */
	struct map_node node;
	struct t8_dev *d;
	char id[]; /* as t8_dev.id */
};

struct t8_dev {
	struct link_dev_base base;
	struct map_node by_id, by_tail;
	TAILQ_ENTRY(t8_dev) work;
	char *tail;              /* owned; of the configuration; NULL: none known */
	struct t8_alias *alias;  /* owned; NULL */
	struct t8_busy *busy;    /* owned; NULL while nothing is going down */
	uint32_t index;          /* in the link's devs */
	uint32_t active_s, expires_s, renew_s, retry_s; /* clock_now_ms() / 1000; 0: none */
	uint32_t life_s;         /* of the configuration when it was learnt */
	uint32_t asleep_s;       /* the network has named this time for it; 0: none, or it was heard since */
	uint32_t kept;           /* of what is stored of it, a hash; 0: nothing is */
	uint16_t mtu, mtu_peer;  /* the profile's; maximumPacketSize in octets, 0: not told */
	uint16_t flags;
	uint8_t state;           /* enum t8_cfg */
	uint8_t losses;          /* configurations lost in a row */
	uint8_t refusals;        /* temporary failures of units in a row */
	uint8_t seen_run;        /* number of the list that showed it last */
	char id[];               /* 'e' or 'm', then the text: one map holds both kinds */
};

/* ---- downlink ---- */
struct t8_item {
	TAILQ_ENTRY(t8_item) next;
	uint64_t deadline_ms;
	uint64_t key;
	uint32_t id;
	uint16_t len;
	uint8_t klass, tries;
	bool noted;     /* the store knows that its request is under way */
	bool resent;    /* once more after an unknown outcome */
	bool recreated; /* once more after the configuration was lost */
	bool cancelled;
	bool once;      /* link_down.once */
	bool orphan;    /* the configuration it went to was lost meanwhile */
	int16_t port_ue, port_scef;
	int64_t latency_s; /* link_down.maximum_latency_s */
	uint8_t data[];
};
TAILQ_HEAD(t8_items, t8_item);

struct t8_name { /* how the session knows a unit; both 0: it does not want to hear of it */
	uint32_t id;
	uint64_t key;
};
static inline struct t8_name t8_name_of(const struct t8_item *it)
{
	return (struct t8_name){ it->id, it->id ? it->key : 0 };
}

struct t8_pending {
	struct map_node node;
	TAILQ_ENTRY(t8_pending) age; /* of the link, oldest first */
	LIST_ENTRY(t8_pending) mate; /* of the device */
	struct t8_dev *d;
	uint64_t until_ms;
	uint64_t key, hash;          /* hash: of its octets */
	uint32_t id;
	uint16_t len;
	bool old;                    /* of the life before */
	bool listed;                 /* of these: the peer has it still */
	char tail[];                 /* "": of these, the answer with it never came */
};

struct t8_unmatched {
	TAILQ_ENTRY(t8_unmatched) age;
	uint64_t until_ms;
	bool has_retry;
	uint64_t retry_wall_ms;
	char status[T8_STATUS_MAX]; /* "": a test notification */
	char tail[];
};

struct t8_busy {
	struct t8_dev *d;
	struct t8_items queue;   /* by class, then in order */
	struct t8_item *flying;  /* its request, or the look-up after it, is under way */
	struct t8_call *call;
	LIST_HEAD(, t8_pending) pending;
	TAILQ_ENTRY(t8_busy) ready, look;
	struct timer timer;
	uint64_t wait_until_ms;  /* own back-off */
	uint64_t look_at_ms;     /* not looked up before */
	uint16_t queued, pendings;
	uint8_t look_tries;
	bool is_ready;           /* in the link's list: waits for the peer */
	bool looks;              /* in the link's list of look-ups */
};

/* ---- callback ---- */
struct t8_listener {
	LIST_ENTRY(t8_listener) link;
	struct t8_shared *shared;
	struct http_server *server;
	struct addr at;
	unsigned users;
	bool tls;
	struct log_limit limit;
	const struct http_request *seen; /* the last one whose header was let in, and by whom: mostly its body comes next */
	struct t8_link *seen_by;         /* NULL: closed since */
};
/* What the t8 links of a process share; hangs from link_env.t8. */
struct t8_shared {
	LIST_HEAD(, t8_listener) listeners;
	LIST_HEAD(, t8_link) links, draining;
	struct t8_shared **slot; /* NULL: of one link alone */
};

struct t8_up { /* one notification whose answer is owed */
	struct link_up up;
	LIST_ENTRY(t8_up) link;
	struct t8_link *l;        /* NULL: the link was closed */
	struct http_request *req; /* NULL: the caller has gone */
	uint64_t start_ms, hold_until_ms; /* hold: 0, or kept back until then */
	const uint8_t *body;      /* borrowed from req while held */
	size_t len;
};

/* ---- the link ---- */
enum t8_alarm { T8_ALARM_CALLER, T8_ALARM_IDENTITY, T8_ALARM_COUNT }; /* those that clear themselves */

struct t8_link {
	struct link base;
	const struct t8_conf *conf;
	struct t8_conf *own;        /* owned; what is left of it when the link is closed and not done; else NULL */
	struct timers *timers;
	struct http_client *client;
	struct t8_circuit circuit;
	char *root;                 /* owned; api_root without its last slash, or where a 308 moved it */
	char scs[200];              /* scs_as_id in path form */
	char *destination;          /* owned; notificationDestination; NULL: none is sent */
	char *echo;                 /* owned; the same as the peer writes it; NULL */
	char *path, *short_path;    /* owned; how a callback may name it: with the prefix of the URL, and without */
	char bearer[1025];
	struct addr_net *allow, *proxies; /* owned */
	size_t allow_n, proxies_n;

	struct t8_shared *shared;
	struct t8_listener *listener;
	LIST_ENTRY(t8_link) mate;
	LIST_HEAD(, t8_up) ups;
	unsigned holds;

	struct map by_id, by_alias, by_tail, pending;
	struct map kept;            /* records that were read and whose devices are not here yet */
	uint64_t peer;              /* what tells records of this peer from others */
	uint64_t unclaimed_ms;      /* when what is left in kept is nobody's; 0: done */
	struct t8_dev **devs;       /* owned */
	uint32_t devs_n, devs_size, sweep_at;
	TAILQ_HEAD(, t8_dev) hot, cold;
	TAILQ_HEAD(, t8_busy) ready, lookups;
	unsigned looking;           /* look-ups under way */
	TAILQ_HEAD(, t8_pending) pendings;
	TAILQ_HEAD(, t8_unmatched) unmatched;
	unsigned queued, unmatched_n, config_calls, creating, lost;
	struct t8_calls calls;
	struct t8_watch *watch;

	struct t8_list list;
	struct t8_call *list_call;
	uint64_t list_at_ms;        /* when the next list is due; 0: none is planned */
	uint64_t listed_ms;         /* the last one's end */
	uint64_t strangers;
	uint8_t run, list_tries;
	bool listed, list_ok;       /* listed: the first one is over; list_ok: it can be asked for at all */
	size_t list_junk;
	uint64_t config_wait_ms;    /* back-off of configuration requests */
	uint8_t config_faults, denials, token_faults;
	bool no_cancel;             /* the peer has no DELETE of deliveries */
	bool pumping, closing;
	bool restoring;             /* what is being read is not written */
	bool news;                  /* some devices have D_NEWS */
	struct timer tick, pump;

	uint64_t alarm_until_ms[T8_ALARM_COUNT];
	bool unreachable, auth_failed;
	uint64_t since_wall_ms, last_ok_wall_ms;
	struct log_limit limit, note_limit, unit_limit;
	uint64_t *codes[600];       /* t8_requests_total by code; 0: no answer */
	struct metrics_histogram *seconds[T8_OP_COUNT], *callback_seconds;
	uint64_t *token_ok, *token_bad, *test_missing;
	struct t8_note note;        /* of the notification at hand */
};

static inline struct t8_link *t8_of(struct t8_dev *d)
{
	return (struct t8_link *)d->base.link;
}
static inline const char *t8_name(const struct t8_link *l)
{
	return l->base.conf->head.name;
}
static inline uint32_t t8_now_s(void)
{
	return (uint32_t)(clock_now_ms() / 1000) + 1; /* never 0, which means none */
}

/* Whether a device outlives a call of the session's; one per call, on the stack. */
struct t8_watch {
	struct t8_dev *d; /* NULL: detached */
	struct t8_watch *next;
};
bool t8_tell_down(struct t8_dev *d, struct t8_name name, enum link_down_state state, enum link_cause cause, uint64_t retry_at_ms); /* false: d is gone */
bool t8_tell_device(struct t8_dev *d, enum link_dev_event_kind kind, uint64_t until_ms, uint32_t value);
bool t8_tell_asleep(struct t8_dev *d, uint64_t until_ms); /* 0: the network did not say until when */

/* device.c */
void t8_set_mtu(struct link_dev *d, uint32_t mtu);
int t8_attach(struct link *l, struct link_dev **out, const struct link_identity *identity, struct device *dev, uint32_t mtu);
void t8_detach(struct link_dev *d, bool gone);
struct device *t8_find_device(const struct link *l, const struct link_identity *identity);
size_t t8_describe(const struct link_dev *d, char *buf, size_t size);
struct t8_dev *t8_dev_by_id(const struct t8_link *l, char kind, const char *id); /* alias or own */
struct t8_dev *t8_dev_by_tail(const struct t8_link *l, const char *tail);
void t8_dev_set_tail(struct t8_dev *d, const char *tail); /* NULL: forget it */
void t8_dev_learn_alias(struct t8_dev *d, const char *external_id, const char *msisdn);
void t8_dev_packet_size(struct t8_dev *d, uint64_t size);  /* as the peer gave it */
void t8_dev_shrink(struct t8_dev *d, size_t len);          /* len was too large */
uint16_t t8_dev_mtu(const struct t8_dev *d);
bool t8_dev_usable(const struct t8_dev *d);                /* there is a configuration to send through */

/* config.c */
void t8_config_event(struct t8_dev *d, enum t8_cfg_ev ev, const struct t8_config_answer *a); /* a may be NULL; d may be gone after it */
int t8_config_next(enum t8_cfg state, enum t8_cfg_ev ev);  /* the state after it, or -1: nothing happens */
void t8_config_queue(struct t8_dev *d, bool hot);          /* wants work; hot: before all others */
bool t8_config_turn(struct t8_dev *d);                     /* false: there was work, and nothing could be started */
void t8_config_found(struct t8_dev *d, const struct t8_config_answer *a);
void t8_config_missing(struct t8_dev *d);                  /* the list ended without it */
void t8_config_delete(struct t8_link *l, const char *tail); /* of a device that is gone for good; not repeated */
void t8_config_lost(struct t8_dev *d, bool lost);          /* keeps the alarm */

/* audit.c */
void t8_list_want(struct t8_link *l, uint64_t at_ms, bool urgent); /* urgent: soon after another list, too */
void t8_list_start(struct t8_link *l);
void t8_sweep(struct t8_link *l);

/* deliver.c */
int t8_send(struct link_dev *d, const struct link_down *how, const uint8_t *data, size_t len);
void t8_cancel(struct link_dev *d, uint32_t id);
void t8_deliver_kick(struct t8_dev *d);                    /* something may go now */
int t8_deliver_start(struct t8_dev *d);                    /* -EAGAIN: the peer may not be asked now */
void t8_cancel_key(struct link_dev *d, uint64_t key);
bool t8_deliver_fail_all(struct t8_dev *d, enum link_cause cause, uint64_t retry_at_ms); /* false: d is gone */
void t8_deliver_drop(struct t8_dev *d);                    /* no event: the device goes */
struct t8_busy *t8_busy_get(struct t8_dev *d);             /* NULL: no memory */
void t8_busy_put(struct t8_dev *d);                        /* frees it when nothing is left */

void t8_queue_again(struct t8_busy *b, struct t8_item *it); /* back to where it was: it has been first already */

/* delivered.c */
void t8_on_delivered(struct t8_call *c, const struct t8_reply *r);
void t8_pending_cancel(struct t8_dev *d, uint32_t id, uint64_t key); /* of either, the one that is not 0 */

/* pending.c */
bool t8_pending_add(struct t8_dev *d, const char *tail, const struct t8_item *it); /* false: not kept */
struct t8_pending *t8_pending_restore(struct t8_dev *d, const char *tail, uint64_t key, uint64_t hash, uint16_t len, uint64_t until_ms); /* NULL: not kept */
struct t8_pending *t8_pending_by_tail(const struct t8_link *l, const char *tail);
void t8_pending_until(struct t8_pending *p, uint64_t until_ms); /* no longer than that */
/* What an earlier status said of tail; taken out. */
struct t8_unmatched *t8_unmatched_take(struct t8_link *l, const char *tail);
void t8_unmatched_keep(struct t8_link *l, const struct t8_note *n);
void t8_pending_status(struct t8_link *l, const struct t8_note *n);
bool t8_pending_fail_all(struct t8_dev *d, enum link_cause cause); /* false: d is gone */
void t8_pending_free(struct t8_pending *p);
void t8_pending_expire(struct t8_link *l);
/* Tells the session what a status means, and keeps the device's record of its reachability. false: d is gone. */
bool t8_tell_status(struct t8_dev *d, struct t8_name name, const char *status, uint64_t retry_at_ms);

/* keep.c */
int t8_keep_open(struct t8_link *l);          /* reads what is stored of this link */
void t8_keep_close(struct t8_link *l);
void t8_keep(struct t8_dev *d);               /* what is remembered of d may have changed */
void t8_keep_forget(struct t8_dev *d);
void t8_keep_restore(struct t8_dev *d);       /* just attached */
void t8_keep_flying(struct t8_link *l);       /* requests that take their time */
void t8_keep_unclaimed(struct t8_link *l);    /* records of devices that are no more */
void t8_keep_tell(struct t8_link *l);         /* from the loop only: the session is told what was restored */
uint64_t t8_keep_hash(const struct t8_link *l, const void *data, size_t len); /* the same after a restart */

/* resume.c */
void t8_resume_want(struct t8_dev *d);        /* its old deliveries are looked up when it is its turn */
void t8_resume_leave(struct t8_busy *b);      /* not any more */
void t8_resume_soon(struct t8_dev *d);        /* there is something to be sent: before all others */
void t8_resume_pump(struct t8_link *l);
struct t8_pending *t8_resume_twin(const struct t8_dev *d, const struct t8_item *it); /* the peer has these octets already; NULL */

/* drain.c */
bool t8_drain(struct t8_link *l);             /* closed: takes over when configurations are still being deleted. true: it has */
void t8_drain_step(struct t8_link *l);        /* an answer has come */
void t8_drain_end(struct t8_shared *s);       /* the process ends: at once; may free s */
void t8_end(const struct link_env *env);

/* callback.c */
int t8_callback_open(struct t8_link *l, const struct t8_callback_conf *c, const struct link_env *env);
int t8_callback_reconf(struct t8_link *l, const struct t8_callback_conf *c);
void t8_callback_close(struct t8_link *l);
void t8_problem(struct http_request *r, int status, const char *title, const char *param);

/* uplink.c */
void t8_note_take(struct t8_link *l, struct http_request *r, const uint8_t *body, size_t len);
void t8_up_gone(struct t8_up *u);
void t8_holds_retry(struct t8_link *l, bool only_due);
void t8_ups_orphan(struct t8_link *l);

/* body.c: JSON that we send; buf always takes it, the length comes back, 0: does not fit */
size_t t8_body_create(const struct t8_dev *d, char *buf, size_t size);
size_t t8_body_patch(const struct t8_dev *d, bool destination, char *buf, size_t size);
size_t t8_body_deliver(const struct t8_dev *d, const struct t8_item *it, char *buf, size_t size);

/* link.c */
void t8_free(struct t8_link *l);           /* of a closed link */
void t8_shared_put(struct t8_shared *s);   /* frees it when nobody uses it */
void t8_pump(struct t8_link *l); /* starts what may start */
void t8_alarm_brief(struct t8_link *l, enum t8_alarm which, const char *text);

#endif
