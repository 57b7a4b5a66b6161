/* SPDX-License-Identifier: Apache-2.0 */
/* north.h - associations towards LwM2M servers
 *
 * One association stands for one device at one server: its own local port (UDP), later its own connection. It moves
 * datagrams (or, on stream transports, messages) and reports what happens to the path; no library type is visible.
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

enum server_role { SERVER_MANAGEMENT, SERVER_BOOTSTRAP };
enum server_queue_flag { SERVER_Q_KEEP, SERVER_Q_ADD, SERVER_Q_REMOVE };
enum server_sms { SERVER_SMS_KEEP, SERVER_SMS_REMOVE };
struct server_conf {
	struct conf_head head;
	const char *uri;
	struct conf_texts aliases;
	int role, security;
	const char *server_name;
	bool insert_ep;
	const char *binding; /* "keep" or letters */
	int queue_flag, sms;
	bool strip_uri_host;
	uint64_t patience_s, answer_within_s, hold_s, hold_max, block_size, nstart, keepalive_s, dead_after;
};
extern const struct conf_item server_items[];
/* The parts of a checked server URI. */
struct server_uri {
	const char *scheme; /* "coap" */
	char host[256];
	uint16_t port;      /* the scheme's default when absent */
};
int server_uri_parse(struct server_uri *out, const char *uri); /* -EBADMSG not of this form; -ENOTSUP a scheme that is not built */
/* conf_fault()s for `north` and `servers`. */
void north_check(struct conf_load *load, const struct north_conf *north, const struct conf_list *servers);

/* ---- running ---- */
struct north;        /* all of it: ports, the poll set of associations */
struct north_server; /* one configured server: resolved address, counters */
struct north_assoc;  /* one association; its inside is its transport's */

enum north_event {
	NORTH_UP,      /* usable (UDP: address known, socket connected) */
	NORTH_DOWN,    /* lost; sending gives -ENOTCONN until NORTH_UP */
	NORTH_REFUSED, /* ICMP says nobody listens: a hint, not the end */
};
struct north_events {
	/* A message from the server. data is borrowed for the call. */
	void (*recv)(void *arg, const uint8_t *data, size_t len);
	void (*event)(void *arg, enum north_event ev);
	/* Something was heard from the server on any association after it had been given up by somebody (see north_server_silent). */
	void (*back)(void *arg, struct north_server *srv);
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
struct north_server_status {
	char address[ADDR_TEXT_MAX]; /* resolved, "" while unknown */
	bool up;
	unsigned associations;
	uint64_t last_heard_wall_ms;
	uint64_t foreign; /* datagrams from elsewhere, dropped */
};
void north_server_status(const struct north_server *s, struct north_server_status *st);

/**
 * Open an association.
 * @param who   name of the device, for port choice and logs; borrowed for the call
 * @param port  local port to use, 0: choose (unpredictable to others, unique among all associations)
 * @param arg   of recv and event
 * @return 0 (usable at NORTH_UP, which may have come before this returns: north_assoc_is_up()); -EADDRNOTAVAIL no port left (alarm raised); -EMFILE
 */
int north_assoc_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port, void *arg);
/* 0; -ENOTCONN not up; -EAGAIN socket buffer full: drop it, the message layer repeats; -EMSGSIZE */
int north_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len);
bool north_assoc_is_up(const struct north_assoc *a);
uint16_t north_assoc_port(const struct north_assoc *a);
struct north_server *north_assoc_server(const struct north_assoc *a);
void north_assoc_close(struct north_assoc *a); /* NULL is fine; no event after this */

#endif
