/* SPDX-License-Identifier: Apache-2.0 */
/* callback.c - the listener for notifications, and who may call
 *
 * The API gives notifications no authentication of their own, so everything rests on what is checked here, before a
 * body is read: the path (secret, compared in constant time), the address, the token; the client certificate was
 * checked in the handshake. Links may share a listener; then the path tells them apart.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "http/digest.h"
#include "link/t8/t8.h"

#define KEEP_ALIVE_MS 60000 /* between requests of one connection */

void t8_problem(struct http_request *r, int status, const char *title, const char *param)
{
	json_t *j = json_pack("{s:s,s:i}", "title", title, "status", status);
	char *text;

	if (j && param && *param)
		json_object_set_new(j, "invalidParams", json_pack("[{s:s,s:s}]", "param", param, "reason", title));
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	http_respond(r, status, NULL, 0, text ? "application/problem+json" : NULL, text, text ? strlen(text) : 0);
	free(text);
	json_decref(j);
}

/* ---- refusing ---- */
enum { BY_PATH, BY_METHOD, BY_ADDRESS, BY_BEARER, BY_CERTIFICATE, BY_CODING, BY_MEDIA_TYPE, BY_SIZE };
static const struct {
	const char *reason;
	int status;
	bool untrusted; /* somebody who may not call: worth an alarm */
} rejections[] = {
	[BY_PATH] = { "path", 404, false },
	[BY_METHOD] = { "method", 405, false },
	[BY_ADDRESS] = { "address", 403, true },
	[BY_BEARER] = { "bearer", 401, true },
	[BY_CERTIFICATE] = { "certificate", 403, true },
	[BY_CODING] = { "coding", 415, false },
	[BY_MEDIA_TYPE] = { "media_type", 415, false },
	[BY_SIZE] = { "too_big", 413, false },
};

static void note_rejection(struct t8_listener *s, struct t8_link *l, const struct addr *from, const char *reason,
			   bool untrusted)
{
	char labels[64], text[ADDR_TEXT_MAX], alarm[160];
	uint64_t held;
	struct t8_link *any = l ? l : LIST_FIRST(&s->shared->links);

	addr_format(from, text, sizeof text);
	if (any) {
		snprintf(labels, sizeof labels, "reason=\"%s\"", reason);
		++*metrics_counter(any->base.env->metrics, "callback_rejected_total", labels,
				   "Callers and requests refused at callback listeners.");
	}
	if (log_limit(&s->limit, clock_now_ms(), 10000, &held))
		log_ev(LOG_WARNING, ROOM, "callback.rejected", LF_STR("link", l ? t8_name(l) : NULL),
		       LF_STR("from", text), LF_STR("reason", reason), LF_UINT("held", held));
	if (!any || !untrusted)
		return;
	snprintf(alarm, sizeof alarm, "refused %s at the callback (%s)", text, reason);
	t8_alarm_brief(any, T8_ALARM_CALLER, alarm);
}

static int reject(struct t8_listener *s, struct t8_link *l, struct http_request *r, int why)
{
	note_rejection(s, l, http_request_from(r), rejections[why].reason, rejections[why].untrusted);
	return rejections[why].status;
}

/* ---- checking ---- */
/* All links are compared whatever matches, so that the time tells nothing. */
static struct t8_link *link_of(const struct t8_listener *s, const char *target)
{
	struct t8_link *l, *found = NULL;
	size_t len = strlen(target);

	LIST_FOREACH(l, &s->shared->links, mate)
	{
		bool full, brief;

		if (l->listener != s)
			continue;
		full = digest_equal(target, len, l->path, strlen(l->path));
		brief = digest_equal(target, len, l->short_path, strlen(l->short_path));
		if ((full || brief) && !found) /* after a reload the new link stands before the old one */
			found = l;
	}
	return found;
}

static bool any_net_has(const struct addr_net *nets, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_net_has(&nets[i], a))
			return true;
	return false;
}

static int parse_hop(struct addr *out, const char *text, size_t len)
{
	char buf[ADDR_TEXT_MAX + 2];

	while (len && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (!len || len >= ADDR_TEXT_MAX)
		return -EBADMSG;
	snprintf(buf, sizeof buf,
		 memchr(text, '[', len) || !memchr(text, ':', len) || memchr(text, '.', len) ? "%.*s" : "[%.*s]",
		 (int)len, text);
	return addr_parse(out, buf, false);
}

/* Who calls: a trusted proxy speaks for the last hop before it that is not one itself. False: it does not say who. */
static bool caller(const struct t8_link *l, const struct http_request *r, struct addr *out)
{
	unsigned count = 0;
	const char *list, *end;

	*out = *http_request_from(r);
	if (!any_net_has(l->proxies, l->proxies_n, out))
		return true;
	list = http_request_header(r, "x-forwarded-for", &count);
	if (!list)
		return true;
	if (count != 1)
		return false;
	for (end = list + strlen(list); end > list;) {
		const char *from = end;

		while (from > list && from[-1] != ',')
			from--;
		if (parse_hop(out, from, (size_t)(end - from)))
			return false;
		if (!any_net_has(l->proxies, l->proxies_n, out))
			return true;
		end = from > list ? from - 1 : list;
	}
	return true;
}

static bool address_is_allowed(const struct t8_link *l, const struct http_request *r)
{
	struct addr from;

	return !l->allow_n || (caller(l, r, &from) && any_net_has(l->allow, l->allow_n, &from));
}

static bool bearer_is_right(const struct t8_link *l, const struct http_request *r)
{
	unsigned count = 0;
	const char *v = http_request_header(r, "authorization", &count);

	if (!*l->bearer)
		return true;
	if (!v || count != 1 || strncasecmp(v, "bearer ", 7))
		return false;
	v += 7;
	v += strspn(v, " ");
	return digest_equal(v, strlen(v), l->bearer, strlen(l->bearer));
}

static bool is_plain(const struct http_request *r)
{
	unsigned count = 0;
	const char *v = http_request_header(r, "content-encoding", &count);

	return !v || (count == 1 && !strcasecmp(v, "identity"));
}

static bool is_json(const struct http_request *r)
{
	unsigned count = 0;
	const char *v = http_request_header(r, "content-type", &count);
	size_t n = v ? strcspn(v, "; \t") : 0;

	return v && count == 1 && n == 16 && !strncasecmp(v, "application/json", 16);
}

static int on_head(void *arg, struct http_request *r)
{
	struct t8_listener *s = arg;
	struct t8_link *l = link_of(s, http_request_target(r));
	size_t announced = http_request_content_length(r);

	s->seen = NULL;
	if (!l)
		return reject(s, NULL, r, BY_PATH);
	if (!address_is_allowed(l, r))
		return reject(s, l, r, BY_ADDRESS);
	if (!bearer_is_right(l, r))
		return reject(s, l, r, BY_BEARER);
	if (l->conf->callback.client_ca_file && !http_request_client_subject(r))
		return reject(s, l, r, BY_CERTIFICATE);
	if (http_request_method(r) != HTTP_POST)
		return reject(s, l, r, BY_METHOD);
	if (!is_plain(r))
		return reject(s, l, r, BY_CODING);
	if (!is_json(r) && !l->conf->lenient)
		return reject(s, l, r, BY_MEDIA_TYPE);
	if (announced != SIZE_MAX && announced > l->conf->callback.max_body_bytes)
		return reject(s, l, r, BY_SIZE);
	s->seen = r;
	s->seen_by = l;
	return 0;
}

static void on_request(void *arg, struct http_request *r, const uint8_t *body, size_t len)
{
	struct t8_listener *s = arg;
	struct t8_link *l = s->seen == r ? s->seen_by : link_of(s, http_request_target(r));

	s->seen = NULL;
	if (l)
		t8_note_take(l, r, body, len);
	else /* closed since the header was read */
		http_respond(r, 404, NULL, 0, NULL, NULL, 0);
}

static void on_gone(void *arg, struct http_request *r)
{
	struct t8_up *u = http_request_data(r);

	(void)arg;
	if (u)
		t8_up_gone(u);
}

static void on_refused(void *arg, const struct addr *from, const char *why)
{
	note_rejection(arg, NULL, from, why, !strcmp(why, "tls"));
}

static const struct http_handler handler = { on_head, on_request, on_gone, on_refused };

/* ---- opening ---- */
static struct http_tls_conf tls_of(const struct t8_callback_conf *c)
{
	return (struct http_tls_conf){ c->cert_file, c->key_file, c->client_ca_file, c->crl_file };
}

static void listener_put(struct t8_listener *s)
{
	if (!s || --s->users)
		return;
	LIST_REMOVE(s, link);
	http_server_close(s->server);
	free(s);
}

/* Its links have equal TLS settings; during a reload those of the new configuration count. */
static int listener_share(struct t8_listener **out, struct t8_listener *s, const struct t8_callback_conf *c,
			  const struct http_tls_conf *tls)
{
	int err = s->tls != t8_callback_tls(c) ? -EADDRINUSE : s->tls ? http_server_set_tls(s->server, tls) : 0;

	if (err)
		return err;
	s->users++;
	*out = s;
	return 0;
}

static struct http_limits limits_of(const struct t8_callback_conf *c)
{
	return (struct http_limits){
		.header_bytes = c->max_header_bytes,
		.header_lines = (unsigned)c->max_header_lines,
		.body_bytes = c->max_body_bytes,
		.request_ms = c->request_s * 1000,
		.idle_ms = KEEP_ALIVE_MS,
		.connections = (unsigned)c->max_connections,
		.connections_per_address = (unsigned)c->max_connections_per_address,
	};
}

static int listener_get(struct t8_listener **out, struct t8_shared *shared, const struct t8_callback_conf *c,
			struct loop *loop)
{
	struct http_tls_conf tls = tls_of(c);
	struct http_limits limits = limits_of(c);
	struct t8_listener *s;
	struct addr at;
	int err = addr_parse(&at, c->listen, true);

	if (err)
		return err;
	LIST_FOREACH(s, &shared->listeners, link)
	if (addr_port(&at) && addr_equal(&s->at, &at, true))
		return listener_share(out, s, c, &tls);
	s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->shared = shared;
	s->at = at;
	s->tls = t8_callback_tls(c);
	s->users = 1;
	err = http_server_open(&s->server, loop, &at, t8_callback_tls(c) ? &tls : NULL, &limits, &handler, s);
	if (err) {
		free(s);
		return err;
	}
	LIST_INSERT_HEAD(&shared->listeners, s, link);
	*out = s;
	return 0;
}

static int read_nets(struct addr_net **out, size_t *n, const struct conf_texts *texts)
{
	struct addr_net *nets = texts->n ? calloc(texts->n, sizeof *nets) : NULL;

	if (texts->n && !nets)
		return -ENOMEM;
	for (size_t i = 0; i < texts->n; i++)
		if (addr_net_parse(&nets[i], texts->v[i])) {
			free(nets);
			return -EBADMSG; /* refused by the check long before */
		}
	free(*out);
	*out = nets;
	*n = texts->n;
	return 0;
}

static int read_live(struct t8_link *l, const struct t8_callback_conf *c)
{
	int err = read_nets(&l->allow, &l->allow_n, &c->allow);

	if (!err)
		err = read_nets(&l->proxies, &l->proxies_n, &c->trusted_proxies);
	if (err)
		return err;
	secret_wipe(l->bearer, sizeof l->bearer);
	if (c->bearer) {
		long n = secret_read(c->bearer, l->bearer, sizeof l->bearer);

		if (n < 0)
			return (int)n;
	}
	return 0;
}

/* The path that only the peer is told: nobody who has not the key of this gateway can guess it, and it is the same
 * after a restart. */
static char *secret_path(const struct t8_link *l, const uint8_t *key)
{
	uint8_t mac[DIGEST_HMAC_LEN];
	char text[300], path[2 * DIGEST_HMAC_LEN + 2] = "/";
	int n = snprintf(text, sizeof text, "t8-callback/%s", t8_name(l));

	if (n < 0 || (size_t)n >= sizeof text || digest_hmac(mac, key, 32, text, (size_t)n))
		return NULL;
	for (size_t i = 0; i < sizeof mac; i++)
		snprintf(path + 1 + 2 * i, 3, "%02x", mac[i]);
	return strdup(path);
}

static char *joined(const char *a, size_t len, const char *b)
{
	char *out = malloc(len + strlen(b) + 1);

	if (!out)
		return NULL;
	memcpy(out, a, len);
	strcpy(out + len, b);
	return out;
}

static size_t without_slash(const char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == '/')
		len--;
	return len;
}

/* A proxy may take the prefix of the URL off or leave it: both are ours. */
static int make_paths(struct t8_link *l, const struct t8_callback_conf *c, const uint8_t *key)
{
	struct t8_url u = { .path = "" };

	l->short_path = c->path ? strdup(c->path) : secret_path(l, key);
	if (!l->short_path)
		return -ENOMEM;
	if (c->url && t8_url_parse(&u, c->url))
		return -EBADMSG;
	l->path = joined(u.path, without_slash(u.path), l->short_path);
	if (c->url)
		l->destination = joined(c->url, without_slash(c->url), l->short_path);
	return l->path && (l->destination || !c->url) ? 0 : -ENOMEM;
}

static bool is_open_to_all(const struct t8_listener *s, const struct t8_callback_conf *c)
{
	return c->allow_unauthenticated && !addr_is_loopback(&s->at) && !c->client_ca_file && !c->bearer &&
		!(c->allow.n && !c->path);
}

static void keep_open_alarm(struct t8_link *l, const struct t8_callback_conf *c)
{
	if (is_open_to_all(l->listener, c))
		alarm_raise(l->base.env->alarms, ALARM_WARNING, "t8.callback_open", t8_name(l),
			    "notifications are taken from anybody who knows the path",
			    "set client_ca_file, bearer or allow");
	else
		alarm_clear(l->base.env->alarms, "t8.callback_open", t8_name(l));
}

int t8_callback_open(struct t8_link *l, const struct t8_callback_conf *c, const struct link_env *env)
{
	int err = make_paths(l, c, env->key);

	if (!err)
		err = read_live(l, c);
	if (!err)
		err = listener_get(&l->listener, l->shared, c, env->loop);
	if (err)
		return err;
	keep_open_alarm(l, c);
	return 0;
}

int t8_callback_reconf(struct t8_link *l, const struct t8_callback_conf *c)
{
	struct http_tls_conf tls = tls_of(c);
	struct http_limits limits = limits_of(c);
	int err = t8_callback_tls(c) ? http_server_set_tls(l->listener->server, &tls) : 0;

	if (!err)
		http_server_set_limits(l->listener->server, &limits);
	if (!err)
		err = read_live(l, c);
	if (!err)
		keep_open_alarm(l, c);
	return err;
}

void t8_callback_close(struct t8_link *l)
{
	struct t8_listener *s = l->listener;

	t8_ups_orphan(l);
	l->listener = NULL;
	if (s && s->seen_by == l)
		s->seen_by = NULL;
	listener_put(s);
	alarm_clear(l->base.env->alarms, "t8.callback_open", t8_name(l));
	free(l->path);
	free(l->short_path);
	free(l->destination);
	free(l->allow);
	free(l->proxies);
	secret_wipe(l->bearer, sizeof l->bearer);
}
