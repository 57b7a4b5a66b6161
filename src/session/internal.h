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

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/timer.h"
#include "coap/option.h"
#include "coap/peer.h"
#include "lwm2m/registration.h"
#include "session/provision.h"
#include "session/session.h"

#define ROOM "session"

#define UNIT_MAX 1600            /* octets of one unit in either direction, the NB-IoT ceiling */
#define MESSAGE_MAX 4096         /* octets of one message from a server: more than any link takes, enough to answer 4.13 to */
#define NORTH_ACK_MS 1000        /* an empty ACK leaves for a server when there is no answer after this */
#define EXCHANGES_MAX 64         /* open at once in each direction of one device */
#define RELATIONS_MAX 64         /* observations of one association */
#define PROBE_MS 15000           /* how often a silent server is tried with one message */
#define OVER_MAX 64              /* exchanges that are over and remembered, in each direction of one device */
#define ANSWER_BYTES_MAX (16u << 20)
#define NOTE_MIDS 4              /* ids of notifications that a RST is looked up in, per relation */

struct profile {
	const struct profile_conf *conf; /* borrowed from the configuration */
	struct coap_params params;
	uint32_t empty_ack_ms;
	uint64_t quota_step_us; /* of one unit */
};

struct server {
	struct server *next;
	struct sessions *all;
	const struct server_conf *conf;
	struct north_server *north;
	struct server_uri uri;
	struct coap_params params;
	struct lwm2m_edits edits;    /* insert_ep is filled per device */
	bool insert_ep, edit;        /* edit: any of the edits is asked for */
	struct assoc *silent;        /* associations whose head is silent, by next_silent */
	struct timer probe;
	bool keep;                   /* mark of a reload */
};

struct registration {
	uint64_t since_wall_ms, expires_wall_ms; /* expires 0: never */
	uint64_t lifetime_s;
	uint8_t version; /* enum lwm2m_version */
	bool queue_mode;
	char binding[8];
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
	struct assoc *next_silent;
	uint32_t notes_n;
	uint16_t relations_n;
	bool is_silent; /* in the list of its server; its peer is away */
};

struct relation {
	struct map_node south, north; /* by (device, Ts) and by (assoc, Tn) */
	struct relation *next;        /* of the association */
	struct assoc *assoc;
	uint8_t ts_len, tn_len, ts[4], tn[COAP_TOKEN_MAX];
	uint16_t mids[NOTE_MIDS]; /* of the latest notifications north */
	uint8_t mids_n, mids_at;
	bool live; /* the device has accepted it */
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
	uint64_t started_ms, empty_ack_ms, deadline_ms; /* empty_ack 0: none is due */
	uint16_t ask_mid;
	uint8_t ask_len, ask[COAP_TOKEN_MAX];
	uint8_t out_len, out[COAP_TOKEN_MAX];
	uint8_t dir, op;
	uint8_t no_response;             /* No-Response value */
	uint8_t fail;                    /* the code to end with when the timer runs next; 0: gateway time-out */
	bool ask_con, acked;             /* acked: an empty ACK has left to the asker */
	bool oscore, observe, cancel, has_no_response;
	bool over;                       /* the asker has its answer, or nothing more is owed */
	bool deaf;                       /* the asker has begun anew with the same message id: nothing is sent to it */
	bool mapped;                     /* node is in the map */
	bool in_doubt;                   /* sent once more as a new message */
	enum link_result counted;        /* LINK_RES_COUNT: not yet */
};

enum tx_kind { TX_REQUEST, TX_ANSWER, TX_NOTE }; /* coap_tx.kind: an exchange's, an answer's, a note's */
struct answer {
	struct coap_tx tx;
	struct exchange *x;
};

struct note {
	struct coap_tx tx;
	struct assoc *assoc;
	struct relation *rel; /* NULL: it has ended meanwhile */
	uint64_t until_ms;    /* hold_s */
	bool oscore;
};

struct device {
	struct map_node by_name, by_ep;
	struct sessions *all;
	const struct device_conf *conf; /* of the configuration; owned when it is stored */
	const struct profile *profile;
	struct link *link;
	struct link_dev *at;      /* NULL: the link is not open */
	struct assoc *assocs;
	struct coap_peer south;
	struct exchange *up, *down; /* owned lists */
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
	bool has_ep;              /* by_ep is in the map */
	bool stored;              /* its record is none of the files: conf is its own */
	bool barred, asleep, heard;
	bool keep;                /* mark of a reload */
};

enum counter { C_IN_DOUBT, C_HOLD_DROPPED, C_LATE, C_NORTH_BAD, C_NORTH_DUPLICATE, C_OBSERVE_RST, C_IDENTITY, C_TOO_BIG, C_DOWN_OK, C_DOWN_FAILED, C_RULE_MADE, C_RULE_LATER, C_RULE_REFUSED, C_COUNT };

struct sessions {
	struct sessions_env env;
	struct coap_shared shared;
	struct map names, eps;
	struct map ups, downs;            /* exchanges by onward token */
	struct map rel_south, rel_north;
	struct device **table;            /* in order of configuration, then those stored; NULL: a gap */
	size_t table_n, table_size, gaps;
	struct map overruled;             /* stored records that cannot be in effect, by name */
	size_t unsound, unsound_told;     /* of these, the ones that no longer fit the configuration; as the alarm has it */
	struct import *import;            /* the one that is open */
	struct session_lists lists;       /* of the configuration in force */
	struct link **links;              /* owned array */
	size_t links_n;
	uint64_t rule_us;                 /* when the next device may be made by a rule, were there no burst */
	struct log_limit overrule_limit, rule_limit;
	struct server *servers;
	struct profile *profiles;
	size_t profiles_n;
	uint64_t *counters[C_COUNT];
	uint64_t open_up, open_down;      /* exchanges */
	uint64_t census_ms;               /* when census was taken; 0: never */
	size_t census[DEVICE_STATE_COUNT];
	struct log_limit bad_limit;
	bool ending;                      /* the process stops: nobody is told anything */
};

static inline void count(struct sessions *s, enum counter c)
{
	++*s->counters[c];
}

/* ---- sessions.c ---- */
int table_add(struct sessions *s, struct device *d); /* behind the others; -ENOMEM */
void table_remove(struct sessions *s, struct device *d);
void table_shrink(struct sessions *s); /* keeps no spare room */
struct device *table_next(const struct sessions *s, size_t *i); /* start with *i = 0; NULL at the end */

/* ---- configure.c ---- */
struct link *sessions_link(const struct sessions *s, const char *name); /* NULL: not open */
struct link_identity device_identity(const struct device_conf *c);
struct device *device_holding(const struct sessions *s, const struct device_conf *c); /* whose the identity is on an open link */
struct device *device_new(struct sessions *s, const struct device_conf *c, bool stored); /* not in the table yet; NULL: no memory */
bool device_renew(struct device *d, const struct device_conf *c, bool stored); /* then take; what changes hands is given back. True: it differs */
void device_take(struct device *d);       /* profile, endpoint name and servers of its record */
int device_attach(struct device *d);      /* where its link is open and it is not attached; logged */
void device_remove(struct device *d, bool gone); /* out of the table, freed; a record of its own too */

/* ---- provision.c ---- */
char *record_text(const struct device_conf *c, size_t *len); /* as it is stored; NULL: too large (*len set) or no memory (*len 0) */
struct device *record_place(struct sessions *s, struct device_conf *c); /* taken; NULL: it is overruled, logged */
void record_overrule(struct sessions *s, struct device_conf *c, bool by_name, const char *why); /* taken */
struct device_conf *record_sound_again(struct sessions *s, const char *name); /* a stored one that fits again, when a file gives the name up */
void records_settle(struct sessions *s); /* after a configuration was taken over: overruled ones are tried again */
void records_tell(struct sessions *s);   /* the alarm about those that do not fit, when their number has changed */
void records_free(struct sessions *s);

/* ---- import.c ---- */
bool import_has(const struct import *im, const struct device_conf *c); /* name, identity or ep of one in it */
bool import_is_committed(const struct import *im); /* its records are on their way to be devices; NULL is fine */
void import_stale(struct import *im); /* the configuration has changed; NULL is fine */
void import_end(struct import *im);   /* sessions end; NULL is fine */

/* ---- rule.c ---- */
struct device *rule_provision(struct sessions *s, struct link *l, const struct link_identity *id);

/* ---- status.c ---- */
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
void device_cancel(struct device *d, struct coap_tx *tx); /* nobody waits for it any more: the link need not deliver it */
/* The south leg: one unit down that nobody waits for. */
void device_send(struct device *d, const uint8_t *data, size_t len);
void device_send_empty(struct device *d, enum coap_type type, uint16_t mid);
extern const struct coap_peer_ops device_peer_ops;

/* ---- assoc.c ---- */
struct assoc *assoc_get(struct device *d, struct server *srv); /* opened when it is not there; NULL: logged */
void assoc_close(struct assoc *a); /* ends what hangs from it, frees it; out of the device's list already */
void assoc_send(struct assoc *a, const uint8_t *data, size_t len);
void assoc_send_empty(struct assoc *a, enum coap_type type, uint16_t mid);
extern const struct coap_peer_ops assoc_peer_ops;

/* ---- server.c ---- */
int servers_configure(struct sessions *s, struct north_server *const *north, size_t n);
void servers_sweep(struct sessions *s); /* frees those that are not kept; no association is left there */
void server_free(struct server *srv);
struct server *server_choose(const struct device *d, const struct coap_view *v); /* NULL: none configured */
struct server *server_by_name(const struct sessions *s, const char *name);
void server_back(struct server *srv);
void assoc_set_silent(struct assoc *a); /* until its server is heard: what must not get lost waits */
void assoc_clear_silent(struct assoc *a);
void assoc_wait_for_server(struct assoc *a); /* before a NON: silent, when others have found its server to be */

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
void exchange_onward_acked(struct exchange *x); /* an empty ACK came for the request */
void exchange_departed(struct exchange *x); /* a NON request of a device has left, perhaps after a long wait */
void exchange_response(struct exchange *x, const struct coap_msg *m); /* what answers the request */
void exchange_fail(struct exchange *x, uint8_t code, uint32_t max_age_s, const char *why); /* the gateway's own answer */
void exchange_fail_soon(struct exchange *x, uint8_t code); /* the same from the next timer run: safe inside a callback of the message layer */
void answer_acked(struct coap_tx *tx); /* the asker has confirmed, reset or given up a separate answer: its exchange ends soon */
void answer_done(struct coap_tx *tx);  /* the same at once */
void exchange_count(struct exchange *x, enum link_result r);
uint64_t exchange_deadline(const struct exchange *x, uint64_t patience_s);
/* An answer of the gateway to a request that has no exchange. options: encoded, standing first in the message. */
void refuse(struct device *d, struct assoc *a, enum direction dir, const struct coap_msg *ask, uint8_t code, const void *options, size_t options_len,
	    const char *diagnostic);

/* ---- observe.c ---- */
struct relation *relation_find_south(struct sessions *s, const struct device *d, const uint8_t *ts, size_t len);
struct relation *relation_find_north(struct sessions *s, const struct assoc *a, const uint8_t *tn, size_t len);
struct relation *relation_new(struct assoc *a, const uint8_t *ts, size_t ts_len, const struct coap_msg *ask); /* NULL: too many */
void relation_end(struct relation *r);     /* what is on its way north still goes */
void relation_refused(struct relation *r); /* the server wants no more of it: what waits is dropped too */
void relations_drop(struct assoc *a);
bool relation_reset(struct assoc *a, uint16_t mid); /* a RST for that id: true when it was a notification's */
enum link_result notify_north(struct relation *r, const struct coap_msg *m, const struct coap_view *v);
void note_free(struct note *n);
void notes_expire(struct assoc *a);

/* ---- register.c ---- */
/* 0 to go on, or the code to refuse with; *why for the log. */
uint8_t register_admit(struct device *d, struct server *srv, enum lwm2m_op op, const struct coap_msg *m, const char **why);
struct reg_params *register_params(enum lwm2m_op op, const struct coap_msg *m); /* NULL: none to keep */
void register_answered(struct exchange *x, const struct coap_msg *m);
/* Fills c->queries with the edits that the server asks for; q is its memory. */
int register_edit(struct lwm2m_queries *q, struct coap_crossing *c, const struct assoc *a, enum lwm2m_op op, const struct coap_msg *m);

#endif
