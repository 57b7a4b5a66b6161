/* SPDX-License-Identifier: Apache-2.0 */
/* scef.h - the inside of the simulated SCEF
 *
 * Three things meet here: the T8 API (scef_api, scef_config, scef_delivery, scef_auth), notifications to whoever made a
 * configuration (scef_notify), and the radio with the users behind it (scef_radio, scef_user). Faults and deviations are
 * options that can be changed while running, and rules given by command (scef_fault).
 */
#ifndef NIDDGW_SIM_SCEF_H
#define NIDDGW_SIM_SCEF_H

#include <jansson.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/timer.h"
#include "http/client.h"
#include "http/server.h"
#include "sim/args.h"
#include "sim/console.h"

enum { SCEF_AUTH_NONE, SCEF_AUTH_BEARER, SCEF_AUTH_BASIC };
enum { SCEF_LINKS_ABSOLUTE, SCEF_LINKS_RELATIVE, SCEF_LINKS_FOREIGN, SCEF_LINKS_ENCODED };
enum { SCEF_BASE64_STANDARD, SCEF_BASE64_URLSAFE, SCEF_BASE64_UNPADDED, SCEF_BASE64_LINES };
enum { SCEF_IDS_SAME, SCEF_IDS_BOTH, SCEF_IDS_OTHER };
enum { SCEF_TEST_AFTER, SCEF_TEST_BEFORE, SCEF_TEST_NEVER };

struct scef_opts {
	/* where */
	char *listen, *prefix, *control, *tls_cert, *tls_key, *client_ca, *radio;
	/* who may ask */
	unsigned auth;
	char *client_id, *client_secret, *user, *password;
	uint64_t token_s;
	/* users */
	char *external_id, *msisdn, *map;
	struct args_list ids;
	/* notifications */
	char *ca_file, *notify_cert, *notify_key, *notify_bearer, *destination;
	uint64_t notify_timeout_ms, notify_retries, notify_retry_ms, hold_ms;
	bool parallel;
	/* deviations */
	unsigned links, base64, answer_ids, test, default_test;
	bool status_alias, omit_data, escape_equals, omit_status, omit_location, lenient;
	uint64_t max_packet, max_duration_s, exists_status;
	bool enforce_size;
	char *features, *success;
	/* behaviour */
	bool buffering, status_before_answer, auto_flush;
	uint64_t delay_ms, retry_after_s, loss_percent, duplicate_percent, radio_delay_ms;
	/* the run */
	uint64_t seconds, seed;
	bool quiet;
};
extern const struct args_item scef_items[];

enum scef_op {
	SCEF_LIST, SCEF_CREATE, SCEF_GET, SCEF_PATCH, SCEF_DELETE,
	SCEF_DELIVERY_LIST, SCEF_DELIVERY, SCEF_DELIVERY_GET, SCEF_DELIVERY_PUT, SCEF_DELIVERY_PATCH, SCEF_DELIVERY_DELETE,
	SCEF_PORT_LIST, SCEF_PORT_GET, SCEF_PORT_PUT, SCEF_PORT_DELETE,
	SCEF_TOKEN, SCEF_UNKNOWN, SCEF_OP_COUNT
};
extern const char *const scef_op_names[SCEF_OP_COUNT];

/* One NIDD configuration. */
struct scef_config {
	struct map_node by_id;
	struct scef_user *user; /* borrowed; users live as long as the simulator */
	char id[24];
	char *scs_as_id; /* owned */
	json_t *body;    /* owned: what was asked for, patched */
	json_t *ports;   /* owned: rds-ports by id */
};

/* A downlink that waits in the SCEF. */
struct scef_delivery {
	struct scef_delivery *next;
	struct scef_config *config;
	char id[24];
	json_t *body;      /* owned */
	char state[64];  /* DeliveryStatus */
	uint64_t latency_ms; /* UINT64_MAX: no bound */
	uint64_t since_ms;
};

/* Somebody with a subscription; has an address once it was heard on the radio. */
struct scef_user {
	struct map_node by_external_id, by_msisdn, by_addr;
	struct scef *scef;
	char *external_id, *msisdn; /* owned; either may be NULL */
	bool has_addr, asleep, asleep_hold;
	struct addr addr;
	struct scef_config *config; /* NULL: none */
	struct scef_delivery *pending; /* owned, in order */
	struct scef_notice *notices;   /* owned, in order; the first one runs unless parallel */
	struct scef_held *held;        /* owned: uplinks without a configuration */
};

/* A notification under way. */
struct scef_notice {
	struct scef_notice *next;
	struct scef *scef;
	struct scef_user *user;  /* NULL: of nobody */
	struct scef_exchange *release; /* an answer that waits for it; NULL */
	struct timer timer;      /* before a retry */
	struct http_call *call;
	const char *kind;        /* "uplink", "status", "delivery-status", "test", "raw" */
	char *url, *text, *content_type; /* owned */
	json_t *headers, *id;    /* owned; NULL */
	uint64_t start_ms;
	unsigned tries;
	bool at_once;           /* sent at once, whatever of this user is under way */
};

struct scef_held {
	struct scef_held *next;
	struct timer timer;
	struct scef_user *user;
	json_t *id;
	size_t len;
	uint8_t data[];
};

/* One request of the API being answered. */
struct scef_exchange {
	struct scef_exchange *next, *prev;
	struct scef *scef;
	struct http_request *r; /* NULL: its connection is gone */
	struct timer timer;     /* of a slow answer */
	enum scef_op op;
	char *method, *path, *from; /* owned */
	char scs_as_id[128], config_id[64], sub_id[64];
	json_t *request;        /* owned; the body when it is JSON */
	char *text;             /* owned; the body when it is not */
	struct scef_user *user; /* NULL */
	uint64_t start_ms;
	/* the answer */
	int status;
	json_t *answer;         /* owned; NULL: no body */
	char *raw;              /* owned; a body that is no JSON */
	char content_type[64];
	char *location;         /* owned */
	json_t *headers;        /* owned */
	bool lost, faulty, held, no_radio;
	bool made, test; /* a configuration was made; a test notification is due behind the answer */
	const char *pending;    /* a state forced by a fault; "" none; borrowed from fault */
	json_t *fault;          /* borrowed, during processing only */
	uint64_t delay_ms;
};

struct scef_fault;

struct scef {
	struct scef_opts opts;
	struct loop *loop;
	struct console *console;
	struct http_server *server;
	struct addr local;
	char root[256]; /* as the gateway's api_root */
	struct map configs, by_external_id, by_msisdn, by_addr, tokens;
	struct scef_exchange *exchanges;
	struct scef_fault *faults;
	struct scef_client *clients;
	struct scef_notice *loose;   /* notices of nobody */
	struct scef_radio *radio;
	struct timer stop;
	uint64_t ids, requests, users;
};

/* ---- scef.c ---- */
int scef_listen(struct scef *s); /* opens the T8 listener */
void scef_event(struct scef *s, json_t *ev);

/* ---- scef_api.c ---- */
extern const struct http_handler scef_http;
void scef_finish(struct scef_exchange *x); /* sends the answer (after its delay) and frees x */
void scef_problem(struct scef_exchange *x, int status, const char *cause, const char *detail);
void scef_invalid(struct scef_exchange *x, const char *param, const char *reason);
char *scef_link(const struct scef *s, const char *path); /* a path below /3gpp-nidd/v1 as this SCEF writes links; owned by the caller */
void scef_exchanges_free(struct scef *s);

/* ---- scef_config.c ---- */
void scef_config_op(struct scef_exchange *x);
void scef_port_op(struct scef_exchange *x);
struct scef_config *scef_config_find(struct scef *s, const char *id);
void scef_config_free(struct scef *s, struct scef_config *c);
/* A configuration nobody asked for by HTTP (command preload). */
struct scef_config *scef_config_new(struct scef *s, const char *scs_as_id, struct scef_user *u, json_t *body);
char *scef_config_self(const struct scef *s, const struct scef_config *c); /* owned by the caller */

/* ---- scef_delivery.c ---- */
void scef_delivery_op(struct scef_exchange *x);
json_t *scef_delivery_json(const struct scef *s, const struct scef_delivery *d);
/* Send what waits: all, or those of one user; status goes into the notification. Returns how many. */
size_t scef_flush(struct scef_user *u, const char *state, bool to_radio);
void scef_pending_free(struct scef_user *u, const struct scef_config *c); /* of one configuration, or of all when NULL */
/* First delivery given while creating a configuration. */
void scef_deliver_first(struct scef_exchange *x, struct scef_config *c, json_t *body);

/* ---- scef_auth.c ---- */
bool scef_allowed(struct scef_exchange *x); /* false: x is answered with 401 */
void scef_token_op(struct scef_exchange *x);
void scef_tokens_free(struct scef *s);

/* ---- scef_notify.c ---- */
struct scef_notice *scef_notice_new(struct scef *s, const char *kind, struct scef_user *u, const char *url);
/* Send it in its user's order. n is taken; body is taken (NULL: n->text is there already). */
void scef_notify(struct scef_notice *n, json_t *body);
const char *scef_destination(const struct scef *s, const struct scef_config *c);
void scef_notify_uplink(struct scef_user *u, const uint8_t *data, size_t len, json_t *id); /* the user has a configuration */
void scef_notify_test(struct scef *s, struct scef_config *c, struct scef_exchange *release);
void scef_notify_delivery(struct scef_user *u, const char *link, const char *state, struct scef_exchange *release, json_t *id);
void scef_notify_status(struct scef_user *u, const char *status, json_t *id);
void scef_notices_free(struct scef *s);
void scef_put_ids(const struct scef *s, const struct scef_user *u, const struct scef_config *c, json_t *to);

/* ---- scef_user.c ---- */
/* By either identity; made when unknown. NULL: out of memory. */
struct scef_user *scef_user(struct scef *s, const char *external_id, const char *msisdn);
struct scef_user *scef_user_find(struct scef *s, const char *identity); /* external id or msisdn */
struct scef_user *scef_user_at(struct scef *s, const struct addr *a);   /* by the rules for radio sources */
int scef_users_load(struct scef *s);                                    /* --map */
void scef_users_free(struct scef *s);
const char *scef_user_name(const struct scef_user *u);
void scef_uplink(struct scef_user *u, const uint8_t *data, size_t len, json_t *id); /* id borrowed, NULL: radio */
void scef_held_release(struct scef_user *u); /* a configuration came */

/* ---- scef_radio.c ---- */
int scef_radio_open(struct scef *s);
void scef_radio_close(struct scef *s);
bool scef_radio_reaches(const struct scef_user *u);
void scef_radio_send(struct scef_user *u, const uint8_t *data, size_t len);
int scef_radio_command(struct scef *s, json_t *cmd, json_t *reply);
bool scef_radio_duplicate(struct scef *s); /* counts: shall this uplink be notified twice? */

/* ---- scef_fault.c ---- */
int scef_fault_add(struct scef *s, const json_t *cmd, json_t *reply);
void scef_faults_free(struct scef *s);
/* Look for a fault of this exchange; true: it is answered already and must not be processed. */
bool scef_fault_before(struct scef_exchange *x);
void scef_fault_after(struct scef_exchange *x);
/* "{root}" in a text stands for the api_root, "{path}" for the path asked for. Owned by the caller. */
char *scef_expand(const struct scef_exchange *x, const char *text);

/* ---- scef_verbs.c ---- */
extern const struct console_verb scef_verbs[];

#endif
