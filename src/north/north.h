/* SPDX-License-Identifier: Apache-2.0 */
/* north.h - associations towards LwM2M servers
 *
 * One association stands for one device at one server: its own local port (UDP, DTLS) or its own connection (TCP, TLS). It
 * moves messages and reports what happens to the path; no library type is visible.
 *
 * Messages are in datagram framing on every transport. A stream has neither types nor message ids, so there they are made and
 * taken away here, and the message layer above sees a server that loses nothing: what it sends confirmable is acknowledged with
 * an empty ACK (a request as soon as it is written; a notification or separate response when the server has answered a Ping sent
 * behind it, RFC 8323 5.4), what the server sends arrives as NON, and empty messages and resets are not sent.
 */
#ifndef NIDDGW_NORTH_NORTH_H
#define NIDDGW_NORTH_NORTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/alarm.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "config/schema.h"

/* ---- configuration ---- */
struct north_conf {
	const char *bind, *interface, *ports; /* "20000-32767" */
};
extern const struct conf_item north_items[];

enum server_role {
	SERVER_MANAGEMENT,
	SERVER_BOOTSTRAP,
	SERVER_PROXY, /* where devices may ask to be proxied to; stands in no list of servers, see north_proxy_conf() */
};
enum server_queue_flag { SERVER_Q_KEEP, SERVER_Q_ADD, SERVER_Q_REMOVE };
enum server_sms { SERVER_SMS_KEEP, SERVER_SMS_REMOVE };
enum server_security { SERVER_NONE, SERVER_PSK, SERVER_X509, SERVER_RPK };
struct server_conf {
	struct conf_head head;
	const char *uri;
	struct conf_texts aliases;
	int role, security; /* -1: by the scheme, see server_security() */
	const char *ca_file, *ca_dir, *crl_file, *cert_file, *key_file, *server_name, *pin_sha256;
	uint64_t handshake_timeout_s, handshakes_per_s;
	bool insert_ep;
	const char *binding; /* "keep" or letters */
	int queue_flag, sms;
	bool strip_uri_host;
	const char *path_prefix; /* "a" or "a/b"; NULL: none */
	uint64_t rds_port;       /* RDS_PORT_ABSENT: none */
	uint64_t patience_s, answer_within_s, hold_s, hold_max, block_size, nstart, keepalive_s, dead_after;
};
#define RDS_PORT_ABSENT 16
#define PATH_PREFIX_SEGMENTS 8
extern const struct conf_item server_items[];
/* The parts of a checked server URI. */
struct server_uri {
	const char *scheme; /* "coap", "coaps" */
	char host[256];
	uint16_t port;      /* the scheme's default when absent */
};
int server_uri_parse(struct server_uri *out, const char *uri); /* -EBADMSG not of this form; -ENOTSUP a scheme that is not built */
enum server_security server_security(const struct server_conf *conf); /* of a checked one */
/* Whether these files can be used as a device's key, or as its certificate chain and private key. 0; -EINVAL, and why says what is wrong. */
int north_check_psk(const char *psk_key, char *why, size_t size);
int north_check_pair(const char *cert_file, const char *key_file, char *why, size_t size);
enum { NORTH_PSK_IDENTITY_MAX = 128, NORTH_PSK_MAX = 64 }; /* octets */
/* What north_server_open() takes for a target of proxy_allow: name and uri are target, the rest is as it is by default. The caller's, who
 * frees it with free(). -EINVAL it is no such URI; -ENOMEM */
int north_proxy_conf(struct server_conf **out, const char *target);
/* conf_fault()s for `north` and `servers`. */
void north_check(struct conf_load *load, const struct north_conf *north, const struct conf_list *servers);

/* ---- running ---- */
struct north;        /* all of it: ports, the poll set of associations */
struct north_server; /* one configured server: resolved address, counters */
struct north_assoc;  /* one association; its inside is its transport's */

enum north_event {
	NORTH_UP,      /* usable (UDP: address known, socket connected; DTLS: handshake over; TCP, TLS: the CSM of both sides too) */
	NORTH_DOWN,    /* lost: what was sent and has no answer may or may not have arrived, and no answer comes on this way any more */
	NORTH_REFUSED, /* ICMP says nobody listens: a hint, not the end */
	NORTH_DENIED,  /* the server's certificate or name was refused: what waits fails with 5.02 */
};
enum { NORTH_RESUME_MAX = 4096 };
/* What a handshake uses. Everything is borrowed until the event function that fills it has returned and its caller too. The files are read
 * when a handshake begins, so a key that was replaced counts from the next one on. */
struct north_credentials {
	const char *psk_identity, *psk_key; /* psk_key: path of a secret file, one line of hexadecimal; NULL: the device has none */
	const char *cert_file, *key_file;   /* PEM; NULL: the server's */
	const uint8_t *resume;              /* what resumable() gave last, perhaps in a life before */
	size_t resume_len;                  /* 0: nothing */
};
struct north_events {
	/* A message from the server. data is borrowed for the call. */
	void (*recv)(void *arg, const uint8_t *data, size_t len);
	void (*event)(void *arg, enum north_event ev);
	/* Something was heard from the server on any association after it had been given up by somebody (see north_server_silent). */
	void (*back)(void *arg, struct north_server *srv);
	/* For a handshake of DTLS or TLS; out is zeroed. */
	void (*credentials)(void *arg, struct north_credentials *out);
	/* What makes the next handshake short: kept by the owner, over a restart too, as a secret. data is borrowed for the call, at most
	 * NORTH_RESUME_MAX octets; len 0: forget it. The association must not be closed by this call, nor by credentials(). */
	void (*resumable)(void *arg, const uint8_t *data, size_t len);
};
struct north_env {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	const uint8_t *key;   /* 32 octets: the first port tried for an association is derived from it, so it tends to stay over restarts */
	const struct north_events *events;
	void *arg;            /* of back() */
};
int north_open(struct north **out, const struct north_conf *conf, const struct north_env *env);
void north_close(struct north *n); /* associations and servers are closed before */

/* Starts the lookup of the host's name; associations may be opened at once and come up when it is known. */
int north_server_open(struct north_server **out, struct north *n, const struct server_conf *conf);
void north_server_close(struct north_server *s);
void north_server_set_conf(struct north_server *s, const struct server_conf *conf); /* reload, same uri */
const struct server_conf *north_server_conf(const struct north_server *s);
/* Somebody's message to it went through all retransmissions unanswered: the next thing heard from it calls back(). Raises server.unreachable. */
void north_server_silent(struct north_server *s);
void north_server_heard(struct north_server *s); /* by the transports */
bool north_server_is_up(const struct north_server *s);
/* The name of a SERVER_PROXY leads to an address that addr_is_reserved(): nothing is sent there, and associations are denied. */
bool north_server_is_forbidden(const struct north_server *s);
struct north_server_status {
	char address[ADDR_TEXT_MAX]; /* resolved, "" while unknown */
	bool up;
	unsigned associations;
	uint64_t last_heard_wall_ms;
	uint64_t foreign; /* datagrams from elsewhere, dropped */
};
void north_server_status(const struct north_server *s, struct north_server_status *st);

/* A stream (TCP, TLS): nothing is retransmitted on it, and what answers a request comes on the connection that it went out on. */
bool north_server_is_stream(const struct north_server *s);

/**
 * Open an association. It connects by itself; many at once are paced per server.
 * @param who   name of the device, for port choice and logs; borrowed for the call
 * @param port  local port to use (UDP, DTLS), 0: choose (unpredictable to others, unique among all associations)
 * @param arg   of recv and event
 * @return 0 (usable at NORTH_UP, which may have come before this returns: north_assoc_is_up()); -EADDRNOTAVAIL no port left (alarm raised); -EMFILE
 */
int north_assoc_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, void *arg);
/* The same for the DTLS records of a device that is client of the server itself: datagrams to the server's address and port pass as they
 * are. events replaces those of north_env. -ENOTSUP: the server is reached by a stream. */
int north_relay_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, const struct north_events *events, void *arg);
/* 0; -ENOTCONN not up: one that was lost or closed begins to connect again by this, NORTH_UP follows; -EACCES denied: the server's
 * certificate or name was refused a moment ago; -EAGAIN buffer full: drop it, the message layer repeats (a stream takes it, and holds no more
 * than a bound); -EMSGSIZE */
int north_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len);
/* A confirmable message has used up its retransmissions: dead_after of these with nothing heard in between end a DTLS association, NORTH_DOWN
 * follows, and a new handshake begins. */
void north_assoc_unanswered(struct north_assoc *a);
bool north_assoc_is_up(const struct north_assoc *a);
uint16_t north_assoc_port(const struct north_assoc *a); /* 0: a stream, whose port is the kernel's choice */
/* Octets of the longest message that the server takes now (RFC 8323 5.3.1), in datagram framing, and whether it knows Block1 and Block2. */
size_t north_assoc_message_max(const struct north_assoc *a);
bool north_assoc_blockwise(const struct north_assoc *a);
struct north_server *north_assoc_server(const struct north_assoc *a);
void north_assoc_close(struct north_assoc *a); /* NULL is fine; no event after this */

/* A server that is the gateway itself: associations are up at once, take no port, and what is sent on them goes to send(), data borrowed
 * for the call, arg the association's. It has no address and is in no list of servers. */
typedef void north_local_fn(void *arg, const uint8_t *data, size_t len);
int north_local_open(struct north_server **out, struct north *n, const struct server_conf *conf, north_local_fn *send);

#endif
