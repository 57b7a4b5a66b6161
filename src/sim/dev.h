/* SPDX-License-Identifier: Apache-2.0 */
/* dev.h - the inside of the simulated devices: objects, formats, the client's side of LwM2M */
#ifndef NIDDGW_SIM_DEV_H
#define NIDDGW_SIM_DEV_H

#include "base/octets.h"
#include "base/timer.h"
#include "sim/args.h"
#include "sim/console.h"
#include "sim/end.h"

/* ---- values and paths ---- */

enum dev_type { DEV_STRING, DEV_INT, DEV_FLOAT, DEV_BOOL, DEV_TIME, DEV_OPAQUE };
struct dev_value {
	enum dev_type type;
	int64_t i;        /* DEV_INT, DEV_TIME, DEV_BOOL */
	double f;         /* DEV_FLOAT */
	const char *p;    /* DEV_STRING, DEV_OPAQUE: borrowed */
	size_t len;
};
#define DEV_ANY (-1)
struct dev_path {
	int object, instance, resource, sub; /* DEV_ANY where the path ends */
};
int dev_path_parse(struct dev_path *p, const char *text); /* "/3/0/1"; -EBADMSG */
const char *dev_path_text(const struct dev_path *p, char buf[32]);

enum { DEV_READ = 1, DEV_WRITE = 2, DEV_EXECUTE = 4, DEV_MULTIPLE = 8 };
struct dev_resource {
	uint16_t object, resource;
	uint8_t type, ops; /* enum dev_type; DEV_READ .. */
};
extern const struct dev_resource dev_resources[]; /* ordered; object 0 ends */
const struct dev_resource *dev_resource(int object, int resource);

/* ---- one device ---- */

/* A value that was written or set: in place of the one the model computes. */
struct dev_stored {
	struct dev_stored *next;
	struct dev_path path;
	struct dev_value v; /* its text is owned */
};
struct dev_observation {
	struct dev_observation *next;
	uint8_t token[8];
	uint8_t token_len;
	int32_t format;
	uint32_t number; /* of the next notification */
	char *path;      /* owned; as asked for, or "composite" */
	struct dev_path *paths; /* owned */
	size_t paths_n;
};

enum dev_state { DEV_IDLE, DEV_REGISTERING, DEV_REGISTERED, DEV_GONE };
enum dev_kind { DEV_K_REGISTER, DEV_K_UPDATE, DEV_K_DEREGISTER, DEV_K_SEND, DEV_K_RAW, DEV_K_COUNT };

struct dev {
	struct devs *all;
	struct end *end; /* borrowed */
	coap_session_t *session; /* referenced */
	struct addr local;
	unsigned index;
	enum dev_state state;
	char *ep;        /* owned */
	char *location;  /* owned; "/rd/1" */
	uint16_t sequence[DEV_K_COUNT]; /* of the newest request of a kind: what an older one gets is ignored */
	json_t *id[DEV_K_COUNT];        /* owned: who asked for it */
	struct timer due, notify_due, send_due;
	struct dev_stored *stored;
	struct dev_observation *observations;
	uint32_t instances; /* of object 3303, a bit each */
	double celsius;
	uint8_t *block; /* owned: a body in blocks being received */
	size_t block_len;
	char *block_path; /* owned */
	bool stopped;
};

struct devs_opts {
	char *to, *bind_base, *prefix, *ep_template, *control, *binding, *lwm2m, *path_prefix;
	unsigned vary, notify_type;
	uint64_t count, rate, lifetime_s, update_s, notify_ms, send_s, ack_timeout_s, max_retransmit, retry_ms, seconds, seed, first;
	uint64_t answer_delay_ms, block_size, format;
	bool queue, separate, quiet, idle, deregister;
};
extern const struct args_item devs_items[];

/* Answers of a device that are not the model's; by command "answer". */
struct dev_rule {
	struct dev_rule *next;
	char ep[128], path[64]; /* empty: any */
	uint8_t code;           /* 0: the normal one */
	uint64_t times;
	uint32_t delay_ms;
	bool separate, silent;
};

struct devs {
	struct devs_opts opts;
	struct loop *loop;
	struct console *console;
	struct addr server;
	struct end **ends; /* owned: one context for each 100 devices */
	size_t ends_n;
	struct dev *list;  /* owned */
	size_t n;
	struct dev_rule *rules;
	struct timer stop;
	uint64_t registered, failed, notified, answered, sent;
	uint8_t *answer_room; /* owned: body of the newest answer */
	char answer_location[32];
};

/* ---- dev_model.c ---- */
/* The value of one resource (or resource instance); false: there is none. room of 64 octets holds text that is computed. */
bool dev_get(struct dev *d, const struct dev_path *p, struct dev_value *v, char *room);
int dev_set(struct dev *d, const struct dev_path *p, const struct dev_value *v); /* -ENOENT, -EPERM not writable, -EINVAL type, -ENOMEM */
bool dev_instance_exists(const struct dev *d, int object, int instance);
/* Every readable value at or below a path, in order. false from fn stops. */
typedef bool dev_visit_fn(void *arg, const struct dev_path *p, const struct dev_value *v);
bool dev_visit(struct dev *d, const struct dev_path *at, dev_visit_fn *fn, void *arg); /* false: nothing is there */
int dev_subs(const struct dev *d, int object, int resource); /* how many instances a multiple resource has */
void dev_walk(struct dev *d); /* the temperature moves a little */
void dev_stored_free(struct dev *d);

/* ---- dev_encode.c, dev_tlv.c, dev_senml.c ---- */
/* The representation of paths in a format. Length, or -ENOENT, -ENOTSUP (format), -EMSGSIZE. */
long dev_encode(struct dev *d, const struct dev_path *paths, size_t n, int32_t format, uint8_t *out, size_t size);
long dev_encode_tlv(struct dev *d, const struct dev_path *at, uint8_t *out, size_t size);
long dev_encode_senml_json(struct dev *d, const struct dev_path *paths, size_t n, uint8_t *out, size_t size);
long dev_encode_senml_cbor(struct dev *d, const struct dev_path *paths, size_t n, uint8_t *out, size_t size);

/* ---- dev_decode.c ---- */
typedef int dev_write_fn(void *arg, const struct dev_path *p, const struct dev_value *v);
/* Calls fn for each value of a body. 0, -EBADMSG malformed, -ENOTSUP format, or what fn said. */
int dev_decode(const struct dev_path *at, int32_t format, const uint8_t *data, size_t len, dev_write_fn *fn, void *arg);
int dev_decode_tlv(const struct dev_path *at, const uint8_t *data, size_t len, dev_write_fn *fn, void *arg);
/* Also for fetch lists: then v is NULL. */
int dev_decode_senml_json(const uint8_t *data, size_t len, dev_write_fn *fn, void *arg);
int dev_decode_senml_cbor(const uint8_t *data, size_t len, dev_write_fn *fn, void *arg);
/* A text as the resource's type; what it points to is borrowed or in room (of len octets). */
int dev_value_of_text(const struct dev_path *p, const char *text, size_t len, struct dev_value *v, uint8_t *room);

/* ---- dev_client.c ---- */
void dev_register(struct dev *d);
int dev_update(struct dev *d, const char *query, json_t *id);
int dev_deregister(struct dev *d, json_t *id);
int dev_send_data(struct dev *d, const struct dev_path *paths, size_t n, int32_t format, json_t *id);
int dev_raw(struct dev *d, struct end_out *out, json_t *id);
void dev_notify(struct dev *d, const char *path, int type); /* NULL: all observations; type -1: as configured */
void dev_free(struct dev *d);
bool dev_on_response(void *arg, coap_session_t *s, const coap_pdu_t *sent, const coap_pdu_t *got);
void dev_on_failed(void *arg, coap_session_t *s, const coap_pdu_t *sent, const char *why);
void dev_forget_observation(struct dev *d, struct dev_observation *o);

/* ---- dev_serve.c ---- */
void dev_on_request(void *arg, coap_session_t *s, const coap_pdu_t *req, struct end_out *answer);
void dev_on_duplicate(void *arg, coap_session_t *s, const coap_pdu_t *req);

/* ---- dev_verbs.c ---- */
extern const struct console_verb devs_verbs[];

#define DEV_BODY_MAX 65536

#endif
