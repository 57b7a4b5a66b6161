/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c - the read-only HTTP listener
 *
 * It stands on loopback or on a unix socket and authenticates nobody, so it must not be reached through a browser of
 * that machine: the Host header has to name a loopback address (a page of an attacker whose name was pointed at
 * 127.0.0.1 sends its own name), and nothing but GET and HEAD is answered. Connections are counted and bounded here,
 * because libevent's HTTP server does neither; nor does it stop asking for connections when no descriptor is left for
 * them, so a watch of our own on the same socket looks for one first.
 */
#include "control/admin.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "control/admin_paths.h"
#include "control/inside.h"
#include "control/listen.h"

enum {
	HEADER_MOST = 8192,
	BODY_MOST = 4096, /* nothing has a body here; a small one is read, so that its sender hears 405 */
	REQUEST_WITHIN_S = 10,
	CONNECTIONS_MOST = 32,
	STARVED_MS = 250, /* until descriptors are looked for again */
};

struct admin {
	struct control *control; /* borrowed */
	char *listen;            /* owned: where it stands, as configured; for unix the absolute path */
	bool is_unix;
	char host[256];                                              /* of the bound address; "" for unix */
	struct evhttp *http;                                         /* owned */
	struct evconnlistener *listener;                             /* borrowed: http frees it */
	struct bufferevent *open[CONNECTIONS_MOST + LISTEN_BACKLOG]; /* one reference of ours each */
	size_t open_n;
	bool full, starved;    /* either: the listener is paused */
	struct loop_fd *watch; /* owned; on the listener's socket */
	struct timer pause;
	struct loop_hook pass;
};

/* ---- the bound on connections ---- */

/* libevent takes its callbacks out of a connection that it gives up: what has none is only held by our reference, which
 * also keeps its descriptor open until it is let go. */
static bool is_given_up(struct bufferevent *bev)
{
	bufferevent_event_cb on_event = NULL;

	bufferevent_getcb(bev, NULL, NULL, &on_event, NULL);
	return !on_event;
}

static void set_accepting(struct admin *a)
{
	if (a->full || a->starved)
		evconnlistener_disable(a->listener);
	else
		evconnlistener_enable(a->listener);
	loop_rewatch(a->watch, a->full || a->starved ? 0 : LOOP_READ);
}

static void on_pause_over(struct timer *t, uint64_t now_ms)
{
	struct admin *a = container_of(t, struct admin, pause);

	(void)now_ms;
	a->starved = false;
	set_accepting(a);
}

/* Somebody connects: without a descriptor it waits in the backlog, and must not wake the loop all the while. */
static void on_connecting(void *arg, int fd, unsigned what)
{
	struct admin *a = arg;
	int spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	(void)what;
	if (spare >= 0) {
		close(spare);
		return;
	}
	a->starved = true;
	set_accepting(a);
	timer_set(loop_timers(a->control->env.loop), &a->pause, clock_now_ms() + STARVED_MS, on_pause_over);
}

/* It would be written to stderr by libevent; on_connecting() deals with it. */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
	(void)listener;
	(void)arg;
}

/* After each pass of the loop: lets go of what was given up in it, and takes new connections while there is room. */
static void on_pass(void *arg)
{
	struct admin *a = arg;

	for (size_t i = 0; i < a->open_n;) {
		if (!is_given_up(a->open[i])) {
			i++;
			continue;
		}
		bufferevent_decref(a->open[i]);
		a->open[i] = a->open[--a->open_n];
	}
	if (a->full && a->open_n < CONNECTIONS_MOST) {
		a->full = false;
		set_accepting(a);
	}
}

/* Called for each accepted connection. Once the last place is taken the next ones wait in the backlog; those of the
 * same round of accepts still come in, which is what the spare places are for. */
static struct bufferevent *on_accepted(struct event_base *base, void *arg)
{
	struct admin *a = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (!bev || a->open_n == sizeof a->open / sizeof *a->open)
		return bev;
	bufferevent_incref(bev);
	a->open[a->open_n++] = bev;
	if (a->open_n >= CONNECTIONS_MOST && !a->full) {
		a->full = true;
		set_accepting(a);
	}
	return bev;
}

/* ---- requests ---- */

static const char *only_host_header(struct evhttp_request *req)
{
	const struct evkeyval *kv;
	const char *host = NULL;

	for (kv = evhttp_request_get_input_headers(req)->tqh_first; kv; kv = kv->next.tqe_next) {
		if (strcasecmp(kv->key, "Host"))
			continue;
		if (host)
			return NULL;
		host = kv->value;
	}
	return host;
}

/* Over a unix socket no browser can come, so any name is fine there. */
static bool host_is_ours(const struct admin *a, const char *host)
{
	static const char *const loopback[] = { "localhost", "127.0.0.1", "::1" };
	char name[256];
	uint16_t port;

	if (a->is_unix)
		return true;
	if (!host || addr_split(host, name, &port, false))
		return false;
	for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++)
		if (!strcasecmp(name, loopback[i]))
			return true;
	return !strcasecmp(name, a->host);
}

static void respond(struct evhttp_request *req, const struct admin_answer *answer)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = answer->body;
	char length[24];

	snprintf(length, sizeof length, "%zu", evbuffer_get_length(body));
	evhttp_add_header(headers, "Content-Type", answer->content_type);
	evhttp_add_header(headers, "Content-Length", length);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(headers, "Content-Security-Policy",
			  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
			  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
	evhttp_add_header(headers, "Cross-Origin-Resource-Policy", "same-origin");
	if (answer->status == 405)
		evhttp_add_header(headers, "Allow", "GET, HEAD");
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD)
		evbuffer_drain(body, evbuffer_get_length(body));
	evhttp_send_reply(req, answer->status, admin_reason(answer->status), body);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct admin *a = arg;
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	const char *target = evhttp_request_get_uri(req);
	struct admin_answer answer = { .body = evbuffer_new() };

	if (!answer.body) {
		evhttp_send_error(req, 503, NULL);
		return;
	}
	if (!host_is_ours(a, only_host_header(req)))
		admin_error(&answer, 403, "forbidden",
			    "the Host header names neither localhost nor the address of this listener");
	else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD)
		admin_error(&answer, 405, "bad_request", "only GET and HEAD");
	else if (!target || *target != '/')
		admin_error(&answer, 400, "bad_request", "the target is no path");
	else
		admin_get(a->control, target, &answer);
	respond(req, &answer);
	evbuffer_free(answer.body);
}

/* ---- listening ---- */

static int bind_listener(struct admin *a, const struct admin_conf *conf)
{
	struct addr addr;
	uint16_t port;

	if (a->is_unix)
		return listen_unix(conf->unix_path);
	if (addr_parse(&addr, conf->listen, true) || !addr_is_loopback(&addr))
		return -EINVAL; /* the configuration's check has refused it already */
	addr_split(conf->listen, a->host, &port, true);
	return listen_tcp(&addr);
}

static int serve(struct admin *a, int fd)
{
	struct event_base *base = loop_base(a->control->env.loop);

	a->http = evhttp_new(base);
	a->listener = a->http
		? evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd)
		: NULL;
	if (!a->listener || !evhttp_bind_listener(a->http, a->listener)) {
		if (a->listener)
			evconnlistener_free(a->listener);
		else
			close(fd);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(a->listener, on_accept_failed);
	evhttp_set_max_headers_size(a->http, HEADER_MOST);
	evhttp_set_max_body_size(a->http, BODY_MOST);
	evhttp_set_timeout(a->http, REQUEST_WITHIN_S);
	evhttp_set_allowed_methods(a->http, 0xffff); /* refused with 405 here, not with 501 there */
	evhttp_set_bevcb(a->http, on_accepted, a);
	evhttp_set_gencb(a->http, on_request, a);
	return loop_watch(a->control->env.loop, &a->watch, fd, LOOP_READ, on_connecting, a);
}

static int admin_open(struct admin **out, struct control *c, const struct admin_conf *conf)
{
	struct admin *a = calloc(1, sizeof *a);
	int fd, err;

	if (!a)
		return -ENOMEM;
	a->control = c;
	a->pass = (struct loop_hook){ .fn = on_pass, .arg = a };
	loop_hook_add(c->env.loop, &a->pass);
	a->is_unix = conf->unix_path != NULL;
	fd = bind_listener(a, conf);
	err = fd < 0 ? fd : serve(a, fd);
	if (!err) {
		a->listen = strdup(a->is_unix ? conf->unix_path : conf->listen);
		err = a->listen ? 0 : -ENOMEM;
	}
	if (err) {
		if (a->is_unix && fd >= 0)
			unlink(conf->unix_path);
		admin_close(a);
		return err;
	}
	*out = a;
	return 0;
}

int admin_set(struct admin **a, struct control *c, const struct admin_conf *conf)
{
	const char *listen = conf->unix_path ? conf->unix_path : conf->listen;
	struct admin *fresh = NULL;
	int err = 0;

	if (*a && !strcmp((*a)->listen, listen))
		return 0;
	if (strcmp(listen, "off"))
		err = admin_open(&fresh, c, conf);
	if (err) {
		log_ev(LOG_ERROR, "control", "admin.failed", LF_STR("listen", listen), LF_STR("error", strerror(-err)));
		return err;
	}
	admin_close(*a);
	*a = fresh;
	return 0;
}

void admin_close(struct admin *a)
{
	if (!a)
		return;
	loop_hook_remove(a->control->env.loop, &a->pass);
	timer_cancel(loop_timers(a->control->env.loop), &a->pause);
	loop_unwatch(a->watch);
	if (a->http)
		evhttp_free(a->http);
	for (size_t i = 0; i < a->open_n; i++)
		bufferevent_decref(a->open[i]);
	if (a->is_unix && a->listen)
		unlink(a->listen);
	free(a->listen);
	free(a);
}
