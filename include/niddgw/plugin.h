/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - the whole contract between niddgw and its plug-ins
 *
 * A plug-in is a shared library with one symbol, niddgw_plugin. It runs in a process of its own, niddgw-plugin-host, which
 * calls it from one thread and never while one of its calls is still running. The gateway never waits for a plug-in: what
 * it does not take in time is dropped, oldest first, and counted.
 *
 * Texts are UTF-8 and NUL-terminated. What a call hands over is borrowed: it is gone when the call returns. Times are
 * milliseconds since 1970 (UTC). Functions that can fail return 0 or a negative errno. New members are added at the end of
 * structs (struct niddgw_option alone never grows: plug-ins define arrays of it); NIDDGW_PLUGIN_ABI rises only when an existing
 * one changes its meaning.
 *
 * After open() the plug-in gets every gateway state, active alarm and session as in a replay (below), then what happens.
 */
#ifndef NIDDGW_PLUGIN_H
#define NIDDGW_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NIDDGW_PLUGIN_ABI 1u
#define NIDDGW_EXPORT __attribute__((visibility("default")))

struct niddgw_host;   /* the gateway as this plug-in may see it */
struct niddgw_record; /* one report of a device, or a message that cannot be decoded; read by the niddgw_record_ functions */

/* ---- what the host offers ---- */

enum niddgw_level { NIDDGW_ERROR, NIDDGW_WARNING, NIDDGW_NOTICE, NIDDGW_INFO, NIDDGW_DEBUG };
/* One line in the log of the gateway, under the name of the plug-in; event is a fixed word ("broker.lost"). */
void niddgw_log(struct niddgw_host *host, enum niddgw_level level, const char *event, const char *text);

/* Options of the plug-in's block in the configuration, as its option table (below) declares them. Borrowed until close. */
const char *niddgw_option(const struct niddgw_host *host, const char *name);             /* the default when absent; NULL when there is none */
int64_t niddgw_option_int(const struct niddgw_host *host, const char *name);
bool niddgw_option_bool(const struct niddgw_host *host, const char *name);
size_t niddgw_option_list(const struct niddgw_host *host, const char *name, const char *const **items); /* entries; 0 when absent */
/* The line of a secret file (option of type NIDDGW_OPTION_SECRET). Octets, or a negative errno; wipe buf after use. */
long niddgw_secret(const struct niddgw_host *host, const char *name, char *buf, size_t size);
const char *niddgw_instance(const struct niddgw_host *host);   /* name of the block */
const char *niddgw_gateway_id(const struct niddgw_host *host);
const char *niddgw_boot_id(const struct niddgw_host *host);    /* another one each time the gateway starts */
const char *niddgw_state_dir(const struct niddgw_host *host);  /* a directory of this instance that it may write, for what has to survive */

/* A counter of the plug-in, shown by the gateway as niddgw_plugin_NAME{plugin="INSTANCE"}; at most 32 names, which are letters, digits and _.
 * One label may stand behind the name: published_total{kind="data"}. A counter of one of the gateway's own plug-ins whose name
 * begins with that plug-in's is shown without the "plugin_": niddgw_mqtt_published_total{kind="data",plugin="INSTANCE"}. */
void niddgw_count(struct niddgw_host *host, const char *name, uint64_t add);
/* The same for what goes up and down (mqtt_connected, mqtt_spool_bytes); a name is one or the other. */
void niddgw_gauge(struct niddgw_host *host, const char *name, int64_t value);
/* An alarm of the plug-in ("mqtt.dropped"); text NULL clears it. Its source is the instance. */
void niddgw_alarm(struct niddgw_host *host, const char *type, const char *text);

/* Calls plugin->poll(state, fd, events) when fd is ready: POLLIN, POLLOUT of <poll.h>; events 0 ends the watch. */
int niddgw_watch(struct niddgw_host *host, int fd, unsigned events);
/* Calls plugin->timer(state) once, in about so many milliseconds; a later call replaces an earlier one; -1: none. */
void niddgw_timer(struct niddgw_host *host, int64_t in_ms);

/* Asks for every gateway state, active alarm and session again, as if they had just changed (state documents only, no events):
 * for a peer that has forgotten what it held. They come paced. */
void niddgw_replay(struct niddgw_host *host);

/* A command to the gateway (device NULL) or to a device. The gateway decides whether the instance may: commands that only read
 * may always be asked, the others when they stand in its option "commands". Answered once or twice (first "accepted") by plugin->answer(). */
struct niddgw_command {
	uint32_t size;      /* sizeof(struct niddgw_command) of the caller */
	const char *device; /* name; NULL: the gateway */
	const char *name;   /* "read" */
	const char *id;     /* of the asker, given back in the answer */
	const char *args;   /* JSON object; NULL: none */
	uint32_t timeout_ms; /* 0: 30 s */
	uint64_t cookie;    /* given back in the answer */
};
int niddgw_command(struct niddgw_host *host, const struct niddgw_command *c); /* -EAGAIN: too many are under way; -EMSGSIZE */

/* ---- records ---- */

enum niddgw_record_kind {
	NIDDGW_RECORD_DATA, /* decoded values, or the object links of a Register */
	NIDDGW_RECORD_RAW,  /* OSCORE, DTLS, or what could not be decoded: nothing but what is visible about it */
};
enum niddgw_type {
	NIDDGW_NONE, NIDDGW_STRING, NIDDGW_INTEGER, NIDDGW_UNSIGNED, NIDDGW_FLOAT, NIDDGW_BOOLEAN, NIDDGW_OPAQUE,
	NIDDGW_TIME, NIDDGW_OBJLNK, NIDDGW_CORELNK, NIDDGW_TYPE_COUNT
};
struct niddgw_value {
	uint16_t path[4];       /* object, instance, resource, resource instance */
	uint8_t path_len;       /* 1 to 4 of them */
	uint8_t type;           /* enum niddgw_type */
	bool has_time;
	const char *object;     /* names of the registry; NULL: not known */
	const char *resource;
	const char *unit;       /* NULL: none */
	uint64_t time_ms;       /* of the value itself */
	int64_t integer;        /* INTEGER; TIME: seconds since 1970 */
	uint64_t uinteger;      /* UNSIGNED */
	double number;          /* FLOAT; may be NaN or infinite */
	bool boolean;
	uint16_t link[2];       /* OBJLNK */
	const uint8_t *data;    /* STRING, CORELNK (UTF-8, no NUL at the end), OPAQUE */
	size_t len;             /* octets of data */
};
enum niddgw_record_kind niddgw_record_kind(const struct niddgw_record *r);
uint64_t niddgw_record_arrival_ms(const struct niddgw_record *r);
const char *niddgw_record_id(const struct niddgw_record *r);     /* unique, sorts by time */
const char *niddgw_record_device(const struct niddgw_record *r);
const char *niddgw_record_ep(const struct niddgw_record *r);     /* NULL: not known */
const char *niddgw_record_server(const struct niddgw_record *r); /* NULL: none is known */
const char *niddgw_record_op(const struct niddgw_record *r);     /* "notify"; NULL for RAW */
const char *niddgw_record_path(const struct niddgw_record *r);   /* of the request; "/" for Send and composites */
const char *niddgw_record_format(const struct niddgw_record *r); /* media type; NULL: none */
int niddgw_record_confirmed(const struct niddgw_record *r);      /* 1 yes, 0 no, -1 there is nothing to confirm */
size_t niddgw_record_unit_bytes(const struct niddgw_record *r);
size_t niddgw_record_values(const struct niddgw_record *r);      /* how many */
const struct niddgw_value *niddgw_record_value(const struct niddgw_record *r, size_t i); /* NULL: there is none */

/* JSON as the monitoring reference has it: one object, or with NIDDGW_JSON_SENML an RFC 8428 pack. */
#define NIDDGW_JSON_SENML 1u       /* of a DATA record */
#define NIDDGW_JSON_OMIT_OPAQUE 2u /* "bytes":n in place of octets */
#define NIDDGW_JSON_RAW_PAYLOAD 4u /* of a RAW record: its octets, base64 */
#define NIDDGW_JSON_OBJECT 8u      /* of a value: the object with its path, names, type, unit and time */
/**
 * @param size  room in buf, with a NUL at the end
 * @return octets of the whole text without the NUL, as snprintf does: when it is not below size, buf holds nothing useful; a negative errno
 */
long niddgw_record_json(const struct niddgw_record *r, unsigned flags, char *buf, size_t size);
/* One value as JSON: the "value" member's text alone ("21.5", "\"abc\""), or with NIDDGW_JSON_OBJECT all that is said of it. The same return. */
long niddgw_value_json(const struct niddgw_value *v, unsigned flags, char *buf, size_t size);

/* ---- the other things that are told; json is the whole document of the monitoring reference ---- */

enum niddgw_gateway_what { /* others may come: they are to be ignored */
	NIDDGW_GATEWAY_PHASE, NIDDGW_GATEWAY_INFO, NIDDGW_GATEWAY_HEALTH,
	NIDDGW_GATEWAY_REPLAYED /* all states of a replay have been told */
};
struct niddgw_gateway {
	uint32_t size;
	uint32_t what;       /* enum niddgw_gateway_what */
	const char *phase;   /* "online", "degraded", "stopping", "stopped" */
	const char *json;    /* of state/conn, state/info or state/health; "{}" for REPLAYED */
};
struct niddgw_session {
	uint32_t size;
	const char *device;
	const char *event;   /* "registered", "updated", "deregistered", "expired", "rejected"; NULL: nothing but its state has changed */
	const char *server;  /* of the event */
	const char *state;   /* JSON of state/session; NULL: the device is no longer known, what is retained of it is to be cleared */
	const char *objects; /* JSON of state/objects; NULL: as before */
	const char *json;    /* of event/session; NULL when event is */
};
struct niddgw_down {
	uint32_t size;
	const char *device;
	const char *state;   /* "queued", "sent", "buffered", "acked", "failed", "expired", "superseded" */
	const char *json;    /* of event/down */
};
struct niddgw_alarm_event {
	uint32_t size;
	const char *type, *source;
	const char *id;      /* "TYPE:SOURCE" */
	const char *action;  /* "raise", "change", "clear" */
	const char *state;   /* JSON of state/alarm; NULL when cleared */
	const char *json;    /* of event/alarm; NULL in a replay */
};
struct niddgw_stats {
	uint32_t size;
	const char *json;    /* of event/stats */
};
struct niddgw_answer {
	uint32_t size;
	uint64_t cookie;
	const char *device, *command, *id;
	bool final;          /* false: "accepted", another answer follows */
	const char *json;    /* the response object */
};

/* ---- what a plug-in defines ---- */

enum niddgw_option_type {
	NIDDGW_OPTION_TEXT, NIDDGW_OPTION_INT, NIDDGW_OPTION_BOOL, NIDDGW_OPTION_LIST, NIDDGW_OPTION_SECRET, NIDDGW_OPTION_FILE,
	NIDDGW_OPTION_SECRET_FILE, NIDDGW_OPTION_PATH, NIDDGW_OPTION_URL
};
/* The gateway checks the configuration by this table before the plug-in is opened. FILE: made absolute, must be readable. SECRET_FILE: the
 * same, and others may not read it (a key in PEM). SECRET: written file:PATH, a file of one line; the option's text is the absolute
 * PATH. PATH: made absolute, need not be there. URL: SCHEME://HOST[:PORT], an IPv6 address in
 * brackets; words are its schemes. At most 64 options. */
struct niddgw_option {
	const char *name;        /* NULL ends the table */
	uint32_t type;           /* enum niddgw_option_type */
	bool required;
	const char *fallback;    /* the default as text; NULL: none */
	const char *const *words; /* NULL-terminated: the only values of a TEXT, the schemes of a URL; NULL: any */
	int64_t least, most;     /* of an INT; both 0: any. At most 2^53 */
	const char *help;        /* one sentence for the annotated configuration and the manual page */
};

struct niddgw_plugin {
	uint32_t abi;  /* NIDDGW_PLUGIN_ABI the plug-in was built with */
	uint32_t size; /* sizeof(struct niddgw_plugin) there */
	const char *name;
	const char *version;
	uint32_t needs;                       /* NIDDGW_NEEDS_ */
	const struct niddgw_option *options;  /* NULL: it has none */
	int (*open)(struct niddgw_host *host, void **state);
	void (*close)(void *state);
	int (*record)(void *state, const struct niddgw_record *rec); /* 0, or -EAGAIN: not kept */
	int (*session)(void *state, const struct niddgw_session *s);
	int (*down)(void *state, const struct niddgw_down *d);
	int (*alarm)(void *state, const struct niddgw_alarm_event *a);
	int (*stats)(void *state, const struct niddgw_stats *st);
	int (*gateway)(void *state, const struct niddgw_gateway *g);
	int (*answer)(void *state, const struct niddgw_answer *a);
	void (*poll)(void *state, int fd, unsigned events); /* for niddgw_watch() */
	void (*timer)(void *state);                         /* for niddgw_timer() */
	/* new members go here; every one but abi, size, name and open may be 0 */
};
#define NIDDGW_NEEDS_NETWORK 1u /* sockets may be opened */

/* The plug-in defines it, in member order: C++17 has no designators. */
extern NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin;

#ifdef __cplusplus
}
#endif
#endif
