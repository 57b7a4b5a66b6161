/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the files of this room share
 *
 *   device    one provisioned thing; owns its south peer, its associations and its exchanges
 *   assoc     the device at one server; owns the north peer, the registration and the observe relations there
 *   exchange  one request and what answers it, in either direction; lives while one of its legs is busy
 *   relation  one observation of a server; lives until one of both ends it
 *   note      one notification on its way north that has to wait or to be acknowledged
 *
 * A leg is "the device" or "the server" of an exchange; asker is the one that sent the request. Type, message id and
 * token belong to a leg and never cross.
 */
#ifndef NIDDGW_SESSION_INTERNAL_H
#define NIDDGW_SESSION_INTERNAL_H

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/timer.h"
#include "coap/option.h"
#include "coap/peer.h"
#include "lwm2m/registration.h"
#include "mirror/mirror.h"
#include "session/provision.h"
#include "session/gate.h"
#include "session/relay.h"
#include "session/session.h"
#include "session/watch.h"

#define ROOM "session"

#define UNIT_MAX 1600            /* octets of one unit in either direction, the NB-IoT ceiling */
#define MESSAGE_MAX 4096         /* octets of one message that a unit makes towards a server: more than any link takes */
#define BLOCK_BODY_MAX 16384     /* octets of one body that is cut into blocks, or kept to be fetched in blocks */
#define NORTH_ACK_MS 1000        /* an empty ACK leaves for a server when there is no answer after this */
#define EXCHANGES_MAX 64         /* open at once in each direction of one device */
#define RELATIONS_MAX 64         /* observations of one association */
#define PROBE_MS 15000           /* how often a silent server is tried with one message */
#define OVER_MAX 64              /* exchanges that are over and remembered, in each direction of one device */
#define ANSWER_BYTES_MAX (16u << 20)
#define KEEP_POLL_MS 100         /* how long an ACK that waits for the disk is put off at a time */
#define NOTE_MIDS 4              /* ids of notifications that a RST is looked up in, per relation */

/* What the journal holds of an exchange or a notification. */
struct kept {
	struct store_wait wait;
	uint64_t id;        /* of the entry; 0: none */
	struct link_up *up; /* the unit's verdict waits for the disk, and those of its repetitions; NULL: none does */
	uint8_t shared;     /* so many repetitions */
	bool waiting;       /* wait is with the store */
	bool saving;        /* for the state of the device */
	uint64_t left_ms;   /* of what goes north: possibly sent since then, as the journal has it; 0: certainly not */
};

/* A copy that is owed to the mirror, of an exchange or a notification (copy.c). */
struct copy {
	struct map_node node;       /* by device, while it stands back for an acknowledgement */
	struct copy *next, **link;  /* of those that do, oldest first; link NULL: it does not */
	struct device *dev;
	uint64_t due_ms, arrival_ms; /* arrival: wall clock */
	uint16_t unit_len;
	bool of_note;
	bool owed;                  /* to be shown when it leaves */
};

/* The RDS ports of a unit: none, or both (0 to 15 each). */
typedef uint16_t rds_ports;
enum { RDS_NONE, RDS_PAIR = 0x100 };
static inline bool rds_is_pair(rds_ports p) { return p & RDS_PAIR; }
static inline int16_t rds_ue(rds_ports p) { return rds_is_pair(p) ? (int16_t)(p >> 4 & 15) : -1; }
static inline int16_t rds_scef(rds_ports p) { return rds_is_pair(p) ? (int16_t)(p & 15) : -1; }
static inline rds_ports rds_of(const struct link_up *up)
{
	if (up->port_ue < 0 || up->port_scef < 0)
		return RDS_NONE;
	return (rds_ports)(RDS_PAIR | (up->port_ue & 15) << 4 | (up->port_scef & 15));
}

struct profile {
	const struct profile_conf *conf; /* borrowed from the configuration */
	struct coap_params params;
	struct coap_leg leg;
	uint32_t empty_ack_ms;
	uint64_t quota_step_us; /* of one unit */
};

struct server {
	struct server *next;
	struct sessions *all;
	const struct server_conf *conf;
	struct north_server *north;
	struct server_uri uri;
	bool stream;                 /* TCP, TLS: no message ids, nothing is sent again, an answer comes on the connection of its request */
	bool ends;                   /* a stream or DTLS: its associations end and are made anew (NORTH_DOWN) */
	struct coap_params params;   /* for how long things are remembered */
	struct coap_params leg_params; /* of the leg: the same, or none of the time-outs where the transport loses nothing */
	struct coap_leg leg;
	struct lwm2m_edits edits;    /* insert_ep is filled per device */
	bool insert_ep, edit;        /* edit: any of the edits is asked for */
	struct coap_text prefix[PATH_PREFIX_SEGMENTS]; /* of path_prefix, in conf */
	unsigned prefix_n;
	struct assoc *silent;        /* associations whose head is silent, by next_silent */
	struct timer probe;
	struct assoc_extra *idle, *busy; /* of those that are kept alive, the one that is idle for longest, and the latest */
	struct timer alive;
	bool keep;                   /* mark of a reload */
};

struct registration {
	uint64_t since_ms, expires_ms; /* of clock_steady_ms(); expires 0: never */
	uint64_t lifetime_s;
	uint8_t version; /* enum lwm2m_version */
	bool queue_mode;
	bool told; /* that its lifetime has passed */
	char binding[8];
	struct lwm2m_objects *objects; /* owned; NULL: not known */
	uint16_t location_len;
	uint8_t location[]; /* form of lwm2m_location_of() */
};

struct assoc {
	struct assoc *next; /* of the device */
	struct device *dev;
	struct server *srv;
	struct north_assoc *north; /* owned */
	struct coap_peer peer;
	struct registration *reg; /* owned; NULL: not registered */
	struct relation *relations;
	struct note *notes; /* owned; queued north, or on their way into the journal */
	struct assoc *next_silent;
	struct assoc_extra *extra; /* owned; NULL: it needs none */
	uint32_t notes_n;
	uint16_t relations_n;
	rds_ports rds : 9;  /* of the latest request that the device sent here: what goes down for this server has them too */
	bool is_silent : 1; /* in the list of its server; its peer is away */
	bool closing : 1;   /* what is still said waits for nothing */
	bool oscore : 1;    /* the latest request that the device sent here was protected by it */
	bool switching : 1; /* the device is told to register with this server over another bearer */
	bool denied : 1;    /* its server was refused when it was last tried */
};
_Static_assert(sizeof(struct assoc) <= 120, "an idle association is small");

struct relation {
	struct map_node south, north; /* by (device, Ts) and by (assoc, Tn) */
	struct relation *next;        /* of the association */
	struct assoc *assoc;
	uint8_t ts_len, tn_len, ts[4], tn[COAP_TOKEN_MAX];
	uint16_t mids[NOTE_MIDS]; /* of the latest notifications north */
	uint8_t mids_n, mids_at;
	bool live; /* the device has accepted it */
	struct mirror_target target;
};

enum direction { UP, DOWN }; /* of the request */
struct exchange {
	struct map_node node;            /* by (leg owner, token of the onward leg) */
	struct exchange *next, **link;   /* of the device, one list per direction */
	struct device *dev;
	struct assoc *assoc;
	struct timer timer;
	struct coap_tx tx;               /* the request on its onward leg */
	struct answer *answer;           /* owned; a separate confirmable answer to the asker */
	struct relation *rel;            /* what an observe or cancel request is about */
	struct reg_params *params;       /* owned; of a Register or Update under way */
	struct kept kept;
	struct reply *reply;             /* owned; the device's answer while it is being journalled */
	struct cut *cut;                 /* owned; of a request that goes down as blocks or is one; NULL: neither, or over */
	uint32_t held;                   /* octets of a message that is above the MTU */
	uint64_t started_ms, empty_ack_ms, deadline_ms; /* empty_ack 0: none is due */
	uint16_t ask_mid;
	uint8_t ask_len, ask[COAP_TOKEN_MAX];
	uint8_t out_len, out[COAP_TOKEN_MAX];
	uint8_t dir, op;
	uint8_t no_response;             /* No-Response value */
	uint8_t asked_szx;               /* of a Block2 that did not go to a server without blocks, plus one; 0: none */
	uint8_t fail;                    /* the code to end with when the timer runs next; 0: gateway time-out */
	bool ask_con, acked;             /* acked: an empty ACK has left to the asker */
	bool oscore, observe, cancel, has_no_response;
	bool switches;                   /* it tells the device to use another bearer */
	bool prefixed;                   /* the path prefix of its server was taken off */
	bool over;                       /* the asker has its answer, or nothing more is owed */
	bool deaf;                       /* the asker has begun anew with the same message id: nothing is sent to it */
	bool mapped;                     /* node is in the map */
	bool in_doubt;                   /* sent once more as a new message */
	uint16_t queued;                 /* octets that count in the queue of the device */
	uint32_t unit_id;                /* of its answer, while that waits to be handed over to the device; 0: it does not */
	bool sending;                    /* that is being given to the link */
	bool leaving;                    /* journalled as possibly sent to the device */
	bool earlier;                    /* and that in a life before this one: the link knows it by its key only */
	enum link_result counted;        /* LINK_RES_COUNT: not yet */
	bool copied;                     /* its answer was shown to the mirror */
	bool unkept;                     /* down_id is none of the journal */
	uint8_t told;                    /* enum down_state and one more, as it was told last; 0: never */
	uint16_t attempts;               /* how often it was handed to the link */
	uint64_t down_id;                /* its name outside; 0: it has none yet */
	struct copy copy;                /* of the request */
};

enum tx_kind { TX_REQUEST, TX_ANSWER, TX_NOTE }; /* coap_tx.kind: an exchange's, an answer's, a note's */
struct answer {
	struct coap_tx tx;
	struct exchange *x;
};

/* An answer on its way through the journal. */
struct reply {
	uint16_t mid; /* of the device's message */
	uint8_t token_len, token[COAP_TOKEN_MAX];
	bool con, separate; /* separate: it was a message of its own, con: one that is to be acknowledged */
	bool own;           /* the gateway's, an error */
	uint8_t type; /* on the asker's leg */
	uint16_t len;
	uint8_t data[];
};

struct note {
	struct coap_tx tx;
	struct note *next, **link; /* of the association */
	struct kept kept;
	struct assoc *assoc;
	uint16_t ask_mid; /* of the device's message */
	uint8_t ask_len, ask[COAP_TOKEN_MAX];
	bool ask_con, acked; /* acked: the device has its ACK */
	struct relation *rel; /* NULL: it has ended meanwhile */
	uint64_t until_ms;    /* hold_s */
	bool oscore;
	struct mirror_target target;
	struct copy copy;
};

struct device {
	struct map_node by_name, by_ep;
	struct sessions *all;
	const struct device_conf *conf; /* of the configuration; owned when it is stored */
	const struct profile *profile;
	struct link_dev *at;      /* NULL: the link is not open */
	struct assoc *assocs;
	struct coap_peer south;
	struct gate gate;         /* what may go down, and when */
	struct exchange *up, *down; /* owned lists */
	struct transfers *blocks;   /* owned; NULL while no body is under way */
	struct device *next_dirty;
	uint32_t saved_s;           /* of clock_now_ms(): when its state was handed to the store */
	uint16_t keeping;           /* units of it on their way into the journal */
	uint16_t saving;            /* of these, waiting for its state to be on disk first */
	char *ep_learned;         /* owned; of a device whose record names none */
	uint64_t last_up_wall_ms, last_down_wall_ms;
	uint64_t quota_us;        /* theoretical arrival time of the next unit, of the quota */
	uint32_t units_up, units_down;
	uint32_t next_tx_id;
	uint32_t link_mtu;        /* 0: the link told none */
	const char *link_mtu_origin;
	uint32_t place;           /* in the table of sessions */
	uint8_t ups, downs;       /* open exchanges */
	uint8_t overs[2];         /* those that are over and remembered, by direction */
	uint8_t next_token;
	uint8_t next_tag;         /* Request-Tag of the next body that is cut here */
	uint16_t too_big;         /* octets that the alarm device.too_big names; 0: it is not raised */
	rds_ports rds;            /* of the latest unit from it */
	bool has_ep : 1;          /* by_ep is in the map */
	bool stored : 1;          /* its record is none of the files: conf is its own */
	bool fresh : 1;           /* made by a rule, and its record is on its way to the disk */
	bool barred : 1, asleep : 1, heard : 1;
	bool mismatch : 1;        /* the alarm device.identity_mismatch is raised */
	bool dirty : 1;           /* in the list of those to be saved */
	bool keep : 1;            /* mark of a reload */
	bool silent : 1;          /* the alarm device.silent is raised */
	bool veiled : 1;          /* what it sent last was protected by OSCORE, and it has not registered visibly since */
};
_Static_assert(sizeof(struct device) <= 264, "an idle device is small: what only a busy one needs hangs from it");

static inline struct link *device_link(const struct device *d) /* NULL: it is not open */
{
	return d->at ? ((const struct link_dev_base *)(const void *)d->at)->link : NULL;
}

enum counter { C_IN_DOUBT, C_HOLD_DROPPED, C_LATE, C_NORTH_BAD, C_NORTH_DUPLICATE, C_OBSERVE_RST, C_IDENTITY, C_TOO_BIG, C_DOWN_OK, C_DOWN_FAILED, C_BLOCK_CUT, C_BLOCK_HELD, C_THROTTLED, C_PATIENCE, C_BUDGET_DROPPED, C_RULE_MADE, C_RULE_LATER, C_RULE_REFUSED, C_RELAY_REPEATED, C_RELAY_DROPPED, C_RELAY_MALFORMED, C_COUNT };

/* ---- census.c: gauges of all devices together ---- */
enum { CENSUS_LINKS = 4 }; /* entries of link_type_words */
struct census {
	uint64_t at_ms;                     /* when it was taken; 0: never */
	size_t state[DEVICE_STATE_COUNT], waiting[CENSUS_LINKS];
	uint64_t oldest_ms;
};
struct sessions;
void census_open(struct sessions *s);
void census_close(struct sessions *s);

struct own;
struct sessions {
	struct sessions_env env;
	struct coap_shared shared;
	struct map names, eps;
	struct map ups, downs;            /* exchanges by onward token */
	struct map rel_south, rel_north;
	struct map relays;                /* by device */
	struct device **table;            /* in order of configuration, then those stored; NULL: a gap */
	size_t table_n, table_size, gaps;
	struct map overruled;             /* stored records that cannot be in effect, by name */
	size_t unsound, unsound_told;     /* of these, the ones that no longer fit the configuration; as the alarm has it */
	struct import *import;            /* the one that is open */
	struct session_lists lists;       /* of the configuration in force */
	const char *conf_dir;             /* where relative paths of records begin; NULL: none are taken */
	struct link **links;              /* owned array */
	size_t links_n;
	uint64_t rule_us;                 /* when the next device may be made by a rule, were there no burst */
	struct log_limit overrule_limit, rule_limit;
	struct fresh *fresh;              /* devices that are fresh, few */
	struct server *servers;
	struct server *management, *bootstrap; /* the first of each role; NULL: none */
	struct profile *profiles;
	size_t profiles_n;
	uint64_t *counters[C_COUNT];
	struct pace *paces;               /* owned; of links on which requests were sent */
	uint64_t pace_us;                 /* of all links together */
	size_t queue_bytes;               /* of all requests to devices that are open */
	struct timer expiry;
	size_t expiry_at;                 /* where the sweep over registrations stands in the table; 0: at the beginning */
	uint64_t expiry_ms;          /* the earliest end that it has found so far */
	uint64_t open_up, open_down;      /* exchanges */
	struct census census;
	size_t block_bytes;               /* of bodies at hand */
	struct device *dirty;             /* by next_dirty */
	struct timer save;
	struct link_up *up_now;           /* of the unit being handled; NULL: its verdict was taken over */
	size_t unit_len;                  /* of that unit */
	uint64_t unit_arrival_ms;         /* and when it came from the network, wall clock */
	struct own *own;                  /* owned: the gateway as a server; NULL: it asks nothing */
	const struct sessions_watch *watch;
	void *watch_arg;
	uint64_t next_down_id;            /* of requests that are not journalled */
	struct copy *copies, **copies_end; /* by next, oldest first; end NULL: there is none */
	struct map copies_of;
	struct timer copies_timer;
	struct log_limit bad_limit;
	bool clock_trusted;               /* of what is being restored: asked once, it is a call of the kernel */
	bool ending;                      /* the process stops: nobody is told anything */
};

/* What exchanges and relations are found by: who owns the leg, and the token there. */
struct token_key {
	const void *owner;
	uint8_t token[COAP_TOKEN_MAX];
	uint8_t len;
};
static inline uint64_t token_key_of(struct token_key *k, const void *owner, const uint8_t *token, size_t len) /* fills k; its hash */
{
	memset(k, 0, sizeof *k);
	k->owner = owner;
	k->len = (uint8_t)len;
	memcpy(k->token, token, len);
	return map_hash(k, sizeof *k);
}

static inline void count(struct sessions *s, enum counter c)
{
	++*s->counters[c];
}

/* ---- journal.c: DESIGN 4 step 6, INTERFACE 4 ---- */
bool keeps(const struct device *d); /* units of this device are journalled */
void keep_up(struct exchange *x);   /* then exchange_leave() */
void keep_down(struct exchange *x, bool leaving);
void keep_leaving(struct exchange *x);  /* a queued request is about to be sent for the first time: durable before it is */
void keep_queued(struct exchange *x);   /* it has certainly not reached the device: it may be sent after a restart */
void keep_answer(struct exchange *x, const uint8_t *data, size_t len); /* it is on its way to the device; nobody waits for the disk */
void keep_reply(struct exchange *x, bool state_first); /* x->reply; then exchange_reply_kept(). state_first: behind what is stored of the device */
bool keep_departs(struct assoc *a, struct coap_tx *tx, bool again); /* true: it is paused until the journal says that it is possibly sent north */
void keep_stayed(struct assoc *a, struct coap_tx *tx); /* it was not sent after all */
void keep_renewed(struct coap_tx *tx);                 /* it has another message id: to be marked again */
void keep_note(struct note *n);         /* then note_leave() */
void keep_up_again(struct exchange *x); /* the same for what is on disk since the life before: behind what is on its way there */
void keep_note_again(struct note *n);
void kept_done(struct device *d, struct kept *k, const uint8_t *data, size_t len); /* over; data: what duplicates get */
void kept_handed(struct device *d, struct kept *k); /* over; duplicates get what stands in its last reply */
void kept_drop(struct device *d, struct kept *k); /* the holder goes away: whoever waits is told to try later */
/* A repetition of what has no verdict yet: taken, it gets the same. false: it is none. */
bool kept_share(const struct device *d, struct link_up *up, const uint8_t *data, size_t len);
struct link_up *take_up(struct sessions *s);      /* the verdict of the unit at hand is the caller's now */

/* ---- copy.c: what the mirror is shown ---- */
struct mirror_who copy_who(const struct device *d, const struct assoc *a); /* a NULL: no server is known */
struct mirror_target copy_target(const struct assoc *a, const struct coap_msg *request);
void copy_request(struct exchange *x); /* of a device, new */
void copy_left(struct exchange *x);    /* it is on disk, and leaves now or when its server is there */
void copy_note(struct note *n, const struct mirror_target *t);
void copy_note_left(struct note *n);
void copy_notified(const struct relation *r, const struct coap_msg *m, const struct coap_view *v); /* passed on and forgotten */
void copy_settle(struct sessions *s, struct copy *c, bool confirmed); /* what its server says of it; it need not stand back */
void copy_answer(struct exchange *x, const struct coap_msg *m); /* of a device, to the request x */
void copy_down(const struct assoc *a, const uint8_t *unit, size_t len); /* protected by OSCORE */
void copy_protected(struct exchange *x, const uint8_t *unit, size_t len); /* the same, as the answer to a request of a device */
void copy_unknown(const struct device *d, const uint8_t *data, size_t len);
void copy_records(const struct device *d, const struct server *srv, bool down, const uint8_t *data, size_t len); /* of DTLS, that pass */
struct lwm2m_objects *copy_objects(const struct exchange *x); /* that a Register or Update lists, the caller's; NULL: none */
void copy_forget(const struct device *d);
void copy_forget_leg(const struct assoc *a);
void copies_stop(struct sessions *s);

/* ---- own.c, ask.c: requests of the gateway itself ---- */
#define OWN_MARK 65003 /* in an answer of the gateway to itself: it is none of the device. Critical and unsafe, so that no device gets it through */
bool own_is(const struct server *srv);
struct server *own_named(const struct sessions *s, const char *name); /* NULL: it is not called so */
void own_forget(struct assoc *a);        /* it goes; of any server */
void own_registered(struct device *d);   /* anew: what the gateway observed is over */
void own_free(struct sessions *s);
uint64_t ask_patience_ms(const struct assoc *a, const struct coap_msg *m); /* of a request at the gateway's own server */
bool ask_pinged(const struct device *d, uint16_t mid); /* a RST; false: that was no ping */
int asks_restore(struct sessions *s);

/* ---- tell.c ---- */
void tell_changed(const struct device *d);
void tell_gone(const struct device *d);
void tell_event(const struct assoc *a, enum session_event ev, const char *reason, bool objects); /* objects: there is another list */
void tell_rejected(const struct device *d, const struct server *srv, const char *why); /* why: as it is logged */
void tell_down(struct exchange *x, enum down_state state, const char *cause);
void tell_down_at(struct exchange *x, enum down_state state, const char *cause, uint64_t retry_at_ms); /* clock_now_ms() scale; 0: not known */
void tell_sent(struct coap_tx *tx, bool again);                 /* it was handed to the link of its device */
void tell_acked(struct coap_tx *tx);
void tell_buffered(struct coap_tx *tx, uint64_t retry_at_ms);
void tell_failed(struct exchange *x, uint8_t code, const char *why); /* it ends with an error of the gateway's own */
void tell_waits(struct exchange *x); /* of a new request that may have left or not */

/* ---- resume.c ---- */
int journal_restore(struct sessions *s);

/* ---- state.c ---- */
void device_touch(struct device *d); /* what is stored of it has changed */
void device_save(struct device *d);  /* handed to the store now */
void device_heard(struct device *d); /* at the end of a unit: what changes all the time is stored now and then */
void device_clean(struct device *d);  /* out of the list of those to be saved */
void device_forget(struct device *d); /* its record is gone, and what was stored of its session */
int state_restore(struct sessions *s);

/* ---- sessions.c ---- */
int table_add(struct sessions *s, struct device *d); /* behind the others; -ENOMEM */
void table_remove(struct sessions *s, struct device *d);
void table_shrink(struct sessions *s); /* keeps no spare room */
struct device *table_next(const struct sessions *s, size_t *i); /* start with *i = 0; NULL at the end */

/* ---- place.c ---- */
struct link *sessions_link(const struct sessions *s, const char *name); /* NULL: not open */
struct link_identity device_identity(const struct device_conf *c);
struct device *device_holding(const struct sessions *s, const struct device_conf *c); /* whose the identity is on an open link */
struct device *device_new(struct sessions *s, const struct device_conf *c, bool stored); /* not in the table yet; NULL: no memory */
bool device_renew(struct device *d, const struct device_conf *c, bool stored); /* then take; what changes hands is given back. True: it differs */
void device_take(struct device *d);       /* profile, endpoint name and servers of its record */
void device_take_from(struct device *d, struct device *holder); /* the same; holder: who has its endpoint name now, NULL: nobody */
int device_attach(struct device *d);      /* where its link is open and it is not attached; logged */
void device_remove(struct device *d, bool gone); /* out of the table, freed; a record of its own too */

/* ---- configure.c ---- */
int device_settle(struct device *d);      /* of a stored one: both, or it is overruled, when others hold what its record claims */

/* ---- record.c, provision.c ---- */
char *record_text(const struct device_conf *c, size_t *len); /* as it is stored; NULL: too large (*len set) or no memory (*len 0) */
struct device *record_place(struct sessions *s, struct device_conf *c); /* taken; NULL: it is overruled, logged */
void record_overrule(struct sessions *s, struct device_conf *c, bool by_name, const char *why); /* taken */
bool overruled_has(const struct sessions *s, const char *name);
void overruled_drop(struct sessions *s, const char *name); /* there may be none */
struct device_conf *record_sound_again(struct sessions *s, const char *name); /* a stored one that fits again, when a file gives the name up */
void records_settle(struct sessions *s); /* after a configuration was taken over: overruled ones are tried again */
void records_tell(struct sessions *s);   /* the alarm about those that do not fit, when their number has changed */
void records_free(struct sessions *s);

/* ---- import.c, import_commit.c ---- */
bool import_has(const struct import *im, const struct device_conf *c); /* name, identity or ep of one in it */
bool import_is_committed(const struct import *im); /* its records are on their way to be devices; NULL is fine */
void import_stale(struct import *im); /* the configuration has changed; NULL is fine */
void import_end(struct import *im);   /* sessions end; NULL is fine */

/* ---- rule.c ---- */
struct device *rule_provision(struct sessions *s, struct link *l, const struct link_identity *id);

/* ---- fresh.c ---- */
void fresh_begin(struct device *d); /* its record was handed to the store */
void fresh_hold(struct device *d, struct link_up *up, const uint8_t *data, size_t len); /* a unit of a fresh one: later, or told to come again */
void fresh_end(struct device *d);   /* the device goes; it need not be fresh */

/* ---- status.c ---- */
const char *version_text(uint8_t version); /* enum lwm2m_version; NULL: not known */
enum device_state device_state(const struct device *d);

/* ---- device.c ---- */
uint32_t device_mtu(const struct device *d);
const char *device_ep(const struct device *d); /* configured or learned, NULL */
struct device *sessions_find_ep(const struct sessions *s, const void *ep, size_t len);
int device_learn_ep(struct device *d, const struct coap_text *ep);
void device_forget_ep(struct device *d);
int device_index_ep(struct device *d);
bool device_within_quota(struct device *d);
void device_free(struct device *d, bool gone); /* detaches and frees all; out of the list and maps already */
void device_detach(struct device *d, bool gone);
/* Nobody waits for this request any more: the link need not deliver it. key: its entry in the journal. */
void device_cancel(struct device *d, struct coap_tx *tx, uint64_t key);
/* The south leg: one unit down that nobody waits for. rds: of what it is about. */
void device_send(struct device *d, rds_ports rds, const uint8_t *data, size_t len);
/* The same; id: handover_told() is called once, perhaps from within. 0: it is not. */
void device_send_named(struct device *d, rds_ports rds, uint32_t id, const uint8_t *data, size_t len);
void device_put(struct device *d, rds_ports rds, uint32_t id, const uint8_t *data, size_t len); /* the same, past the gate */
uint32_t device_unit_id(struct device *d); /* another one, never 0 */
void device_send_empty(struct device *d, enum coap_type type, uint16_t mid); /* about the unit at hand */
void device_ack(struct device *d, rds_ports rds, uint16_t mid, const uint8_t *token, size_t token_len); /* of a CON response, and for its duplicates */
extern const struct coap_peer_ops device_peer_ops;

/* ---- assoc.c ---- */
struct assoc *assoc_get(struct device *d, struct server *srv); /* opened when it is not there; NULL: logged */
struct assoc *assoc_get_at(struct device *d, struct server *srv, uint16_t port); /* the same; opened with that port, if it is free */
/* With the port and what resumes of the life before; another port when that is taken. */
struct assoc *assoc_open(struct device *d, struct server *srv, uint16_t port, const uint8_t *resume, size_t resume_len);
void assoc_close(struct assoc *a); /* ends what hangs from it, frees it; out of the device's list already */
void assoc_send(struct assoc *a, const uint8_t *data, size_t len);
void assoc_heard_on(struct assoc *a, rds_ports rds, bool oscore); /* the device asks this server on these ports */
void assoc_send_empty(struct assoc *a, enum coap_type type, uint16_t mid);
void assoc_ack(struct assoc *a, uint16_t mid, const uint8_t *token, size_t token_len); /* of a CON response, and for its duplicates */
extern const struct coap_peer_ops assoc_peer_ops;

/* ---- extra.c: what only some associations have ---- */
void session_north_credentials(void *arg, struct north_credentials *out);
void session_north_resumable(void *arg, const uint8_t *data, size_t len);
void assoc_restore_resumption(struct assoc *a, const uint8_t *data, size_t len); /* of the life before, ahead of the first handshake */
const uint8_t *assoc_resumption(const struct assoc *a, size_t *len);            /* borrowed; *len 0: there is none */
void device_forget_resumption(struct device *d);                               /* its keys are others now */
void assoc_watch(struct assoc *a);  /* kept alive as its server has it now */
void assoc_active(struct assoc *a); /* something went to its server, or came from there */
bool assoc_is_pong(struct assoc *a, uint16_t mid); /* the RST to our ping */
void assoc_extra_free(struct assoc *a);

/* ---- legs.c: an association is made, ends, or is refused ----
 *
 * Where an association ends (DTLS, TCP, TLS), nobody knows whether what was sent on it and has no answer has arrived:
 *   request of a device, plain      goes once more on the next one, counted as in doubt; the second time its device is told 5.04
 *   request of a device, OSCORE     its device is told 5.04, it is never sent again; so is a NON
 *   notification nobody confirmed   goes again, counted; one of OSCORE is given up
 *   what has not left               waits for the next one
 * On DTLS tokens, message ids, observations and what is known of duplicates stay: the server has the same peer, by address or by identity.
 * A stream takes more with it, for what answers a request comes on its connection (RFC 8323 5.2):
 *   request of the server           the device gets it and may finish, its answer goes nowhere; an observation that has not left does not begin
 *   observation                     is over (RFC 7641 4.5, 8323: nothing could tell the device that nobody wants it any more). The device
 *                                   learns it by the RST to its next notification; those that were taken before still go north
 */
void session_north_event(void *arg, enum north_event ev);
void exchange_leave_north(struct exchange *x);
bool exchange_asker_lost(struct exchange *x); /* of a server's request whose connection is no more. True: x is freed */

/* ---- server.c ---- */
int servers_configure(struct sessions *s, struct north_server *const *north, size_t n);
void servers_sweep(struct sessions *s); /* frees those that are not kept; no association is left there */
void server_free(struct server *srv);
struct server *server_new(struct sessions *s, struct north_server *north); /* in no list; NULL: no memory */
struct server *server_by_name(const struct sessions *s, const char *name);
void server_back(struct server *srv);
void assoc_set_silent(struct assoc *a); /* until its server is heard: what must not get lost waits */
void assoc_clear_silent(struct assoc *a);
void assoc_wait_for_server(struct assoc *a); /* before a NON: silent, when others have found its server to be */

/* ---- route.c: DESIGN 4 step 5 ---- */
struct route {
	struct server *srv; /* NULL: none is configured */
	unsigned prefix;    /* so many segments of its Uri-Path are the path prefix of srv */
};
void route_choose(struct route *r, const struct device *d, const struct coap_msg *m, const struct coap_view *v);
struct server *device_bootstrap(const struct device *d); /* NULL: none */
bool device_may_use(const struct device *d, const struct server *srv);

/* ---- switch.c: the way to another bearer ---- */
bool switch_asked(const struct coap_msg *m, const struct coap_view *v); /* by this request of a server */
void switch_expect(struct assoc *a);
void switch_forget(struct assoc *a, const char *why); /* it need not be expected */

/* ---- oscore.c: INTERFACE 4, OSCORE identity ---- */
uint64_t oscore_kids(const struct device *d, const struct coap_view *v); /* entries of its list that a request fits, a bit each */
bool oscore_is_for(const struct oscore_conf *own, const struct server *srv);
uint8_t oscore_admit(struct device *d, const struct coap_view *v, const char **why); /* a request of the device: 0, or the code to refuse with */
uint8_t oscore_refuses(const struct device *d, const struct coap_msg *m, const struct coap_view *v); /* a request, either way: the same */
void oscore_log(const struct device *d, const char *dir, const struct coap_msg *m, const struct coap_view *v); /* what stands outside, at level debug */

/* ---- proxy.c: a device names another host than its servers (Proxy-Uri, Proxy-Scheme) ---- */
/**
 * Where the request goes, and as what.
 * @param buf  memory of *on, the request as it is for that host
 * @return 0; 5.05 no allow-list or another scheme; 4.03 it is not in the list, or its name leads inside; 4.00 no URI; 4.13
 */
uint8_t proxy_request(const struct device *d, const struct coap_msg *m, struct server **srv, struct coap_msg *on, uint8_t *buf, size_t size);
uint8_t assoc_denied_code(const struct assoc *a); /* what a request is told whose server is not trusted */

/* ---- up.c, down.c ---- */
#define MAX_AGE_OPTION_SIZE 6
size_t max_age_option(uint8_t buf[MAX_AGE_OPTION_SIZE], uint32_t seconds); /* encoded as the first option of a message */
void session_uplink(void *arg, struct link_up *up, struct device *d, const uint8_t *data, size_t len);
void session_north_recv(void *arg, const uint8_t *data, size_t len);

/* ---- exchange.c ---- */
struct exchange *exchange_new(struct device *d, struct assoc *a, enum direction dir, const struct coap_msg *ask, const struct coap_view *v);
void exchange_add(struct exchange *x, uint64_t deadline_ms); /* after its onward token is set: into the map, the timer runs */
struct exchange *exchange_find(struct sessions *s, enum direction dir, const void *owner, const uint8_t *token, size_t len);
void exchange_free(struct exchange *x);
void exchange_leave(struct exchange *x); /* the request goes onward: to the server, or to the device */
void exchange_reply_kept(struct exchange *x);
void exchange_onward_acked(struct exchange *x); /* an empty ACK came for the request */
void exchange_departed(struct exchange *x); /* a NON request of a device has left, perhaps after a long wait */
bool exchange_response(struct exchange *x, const struct coap_msg *m); /* what answers the request. True: it waits for the journal, and its ACK with it */
void exchange_fail(struct exchange *x, uint8_t code, uint32_t max_age_s, const char *why); /* the gateway's own answer */
void exchange_fail_soon(struct exchange *x, uint8_t code); /* the same from the next timer run: safe inside a callback of the message layer */
void answer_acked(struct coap_tx *tx); /* the asker has confirmed, reset or given up a separate answer: its exchange ends soon */
void answer_done(struct coap_tx *tx);  /* the same at once */
void exchange_count(struct exchange *x, enum link_result r);
void exchange_entry_over(struct exchange *x); /* its entry in the journal ends, x stays */
void exchange_end_soon(struct exchange *x);   /* of one that is over: freed from the next timer run */
uint64_t exchange_deadline(const struct exchange *x, uint64_t patience_s);
/* An answer of the gateway to a request that has no exchange. options: encoded, standing first in the message. */
void refuse(struct device *d, struct assoc *a, enum direction dir, const struct coap_msg *ask, uint8_t code, const void *options, size_t options_len,
	    const char *diagnostic);

/* ---- handover.c ---- */
/* The answer to a device goes down. on_disk: the journal has it. True: it has to wait, and x is freed when it has gone. */
bool handover_begin(struct exchange *x, const uint8_t *data, size_t len, bool on_disk);
void handover_told(struct device *d, uint32_t id); /* it has left for good, or is lost */
void handover_end(struct device *d);               /* the same of all: the link goes */
uint64_t handover_key(const struct device *d, uint32_t id); /* its entry in the journal */

/* ---- observe.c ---- */
struct relation *relation_find_south(struct sessions *s, const struct device *d, const uint8_t *ts, size_t len);
struct relation *relation_find_north(struct sessions *s, const struct assoc *a, const uint8_t *tn, size_t len);
struct relation *relation_new(struct assoc *a, const uint8_t *ts, size_t ts_len, const struct coap_msg *ask); /* NULL: too many */
void relation_end(struct relation *r);     /* what is on its way north still goes */
void relation_refused(struct relation *r); /* the server wants no more of it: what waits is dropped too */
void relations_drop(struct assoc *a);
bool relation_reset(struct assoc *a, uint16_t mid); /* a RST for that id: true when it was a notification's */
void notes_in_doubt(struct assoc *a); /* the association has ended: what was sent and not confirmed */
enum link_result notify_north(struct relation *r, const struct coap_msg *m, const struct coap_view *v);
struct note *note_new(struct assoc *a, struct relation *r, const uint8_t *data, size_t len); /* counted, not yet sent; NULL: no memory */
void note_leave(struct note *n);
bool note_may_leave(const struct coap_tx *tx); /* of a note; anything else may */
void note_find_relation(struct note *n); /* by its token */
void note_free(struct note *n);
void notes_expire(struct assoc *a);
void held_dropped(const struct assoc *a, size_t n, const char *why); /* so many units that were kept for the server are counted and told */

/* ---- block.c, block_serve.c ---- */
uint8_t block_check(const struct assoc *a, const struct coap_msg *m, const struct coap_view *v); /* of a server's request: 0 or the code to refuse with */
void block_lower(const struct assoc *a, const struct coap_view *v, struct coap_crossing *c);     /* the block size that a request asks for */
/* Whether a request that is above the MTU may go down as blocks: 0; -EMSGSIZE no; -ENOBUFS too much is under way already. */
int block_admit(const struct assoc *a, const struct coap_msg *m, const struct coap_view *v);
/* ---- block_stream.c: SZX 7 (RFC 8323 6), and servers on a stream that do not know block-wise transfer ---- */
uint8_t block_check_bert(const struct coap_msg *m, const struct coap_view *v); /* where messages are not cut: 0 or the code to refuse with */
void block_from_bert(const struct coap_view *v, struct coap_crossing *c);      /* to a device: SZX 6 in its place */
bool block_is_many(const struct exchange *x, const struct coap_msg *m, const struct coap_view *v); /* more than one block for the device */
void block_asked(struct exchange *x, const struct coap_view *v); /* by the device, where its server is not to know */
void block_leave_out(const struct assoc *a, struct coap_crossing *c);          /* to a server that does not know them */
uint8_t block_not_for(const struct assoc *a, const struct coap_view *v, bool request); /* it cannot go there without them: the code to refuse with, or 0 */
bool block_is_unknown(const struct assoc *a, const struct coap_tx *tx);        /* tx has one, and the server does not know them */

void block_hold(struct exchange *x, size_t len); /* counts the octets of its message until it is over */
bool block_leaves(struct exchange *x);           /* false: it is no matter of blocks; true: it has left or waits for its turn */
bool block_shrink(struct exchange *x);           /* the link takes less than it did; false: that is the end of it */
bool block_answered(struct exchange *x, const struct coap_msg *m); /* true: nothing is owed to the server yet */
void block_crossing(const struct exchange *x, const struct coap_msg *m, const struct coap_view *v, struct coap_crossing *c);
void block_over(struct exchange *x);
void block_forget(struct assoc *a);
void block_give_up(struct assoc *a); /* others need not wait for the end of its body */
void block_free(struct device *d);
void block_too_big(struct device *d, size_t needed); /* the alarm device.too_big, of what is protected end to end */
void block_fits(struct device *d);                   /* clears it when the MTU has grown */
/* An answer to the device that does not fit is kept, its first part is built: its length, or -EMSGSIZE. */
long block_hold_answer(struct exchange *x, const struct coap_msg *m, const struct coap_view *v, const struct coap_crossing *c, enum coap_type type,
		       uint16_t mid, uint8_t *buf, size_t room);
/* A request of the device that wants the next part of it; north: as it would go to the server. True: it has been answered. */
bool block_served(struct assoc *a, const struct coap_msg *m, const struct coap_view *v, const uint8_t *north, size_t north_len);

/* ---- register.c ---- */
void identity_mismatch(struct device *d, const char *text); /* counted, and the alarm is raised */
void identity_confirmed(struct device *d);                  /* which ends it */
/* 0 to go on, or the code to refuse with; *why for the log. */
uint8_t register_admit(struct device *d, struct server *srv, enum lwm2m_op op, const struct coap_msg *m, const char **why);
void register_write(struct writer *w, const struct reg_params *p); /* for the journal; NULL is fine */
struct reg_params *register_read(struct reader *r);                 /* NULL: none was written */
struct reg_params *register_params(enum lwm2m_op op, const struct coap_msg *m); /* NULL: none to keep */
void registration_free(struct registration *r); /* NULL is fine */
void register_answered(struct exchange *x, const struct coap_msg *m);
void register_replayed(struct exchange *x, uint8_t code, uint64_t wall_ms); /* an Update of the life before, which may not have been stored yet */
/* Fills c->queries with the edits that the server asks for; q is its memory. */
int register_edit(struct lwm2m_queries *q, struct coap_crossing *c, const struct assoc *a, enum lwm2m_op op, const struct coap_msg *m);

#endif
