/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - one request as libcurl sees it, and what became of it
 *
 * Two things of libcurl need care, because a request may not be idempotent. When a kept connection dies without an
 * answer libcurl quietly sends the request again on a new one; and when the peer has closed a kept TLS connection in an
 * orderly way, libcurl does not notice before it has written. Both are met in the callback that it makes right before
 * it writes a request: a second writing is refused there, and so is a kept connection on which something waits to be
 * read, in which case nothing has been written and we start again on a fresh one.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/secret.h"
#include "http/client_internal.h"
#include "http/internal.h"

enum { RESTARTS_MOST = 2, KEPT_FOR_S = 55 };

/* ---- callbacks of libcurl ---- */

static bool is_safe(enum http_method m)
{
	return m == HTTP_GET || m == HTTP_HEAD;
}

/* Octets written since the request was about to be written first. */
static long written(const struct http_call *call)
{
	long n = 0;

	curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &n);
	return n - call->written_base;
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };

	return poll(&p, 1, 0) != 0;
}

/* libcurl has a connection and would write the request now. */
static int on_about_to_write(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct http_call *call = arg;
	struct client_socket *s = client_socket_of(call->client, local_port);

	(void)ip;
	(void)local_ip;
	(void)port;
	call->local_port = local_port;
	if (call->tries++ && written(call) > 0 && !is_safe(call->method)) {
		call->second = true;
		return CURL_PREREQFUNC_ABORT;
	}
	/* Between answers an HTTP/1 peer has nothing to say but that it closes. HTTP/2 has, and libcurl reads it. */
	if (s && s->uses++ && !s->h2 && is_readable(s->fd)) {
		call->stale = true;
		return CURL_PREREQFUNC_ABORT;
	}
	call->written_base += written(call);
	return CURL_PREREQFUNC_OK;
}

static bool collect(struct http_call *call, const char *data, size_t len)
{
	/* One with a secret in it gets its room at once: growing would leave copies behind. */
	const size_t most = call->secret ? (size_t)2 * TOKEN_MOST : call->client->conf.body_bytes;
	size_t size = call->answer_size ? call->answer_size : call->secret ? most + 1 : 512;
	char *grown;

	if (len > most - call->answer_len) {
		call->too_large = true;
		return false;
	}
	while (size < call->answer_len + len + 1)
		size *= 2;
	if (size != call->answer_size) {
		grown = realloc(call->answer, size);
		if (!grown)
			return false;
		call->answer = grown;
		call->answer_size = size;
	}
	memcpy(call->answer + call->answer_len, data, len);
	call->answer_len += len;
	call->answer[call->answer_len] = '\0';
	return true;
}

static size_t on_data(char *data, size_t one, size_t len, void *arg)
{
	struct http_call *call = arg;
	long status = 0;

	(void)one;
	if (!call->done)
		return 0; /* cancelled */
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!call->part || status / 100 != 2)
		return collect(call, data, len) ? len : 0;
	if (call->part(call->arg, data, len)) {
		call->too_large = true;
		return 0;
	}
	return len;
}

/* ---- the easy handle ---- */

static void set_tls(CURL *e, const struct http_client_conf *conf)
{
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_CIPHER_LIST, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:@SECLEVEL=2");
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (conf->ca_file)
		curl_easy_setopt(e, CURLOPT_CAINFO, conf->ca_file);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL); /* one file only: its certificates are then parsed once per client */
	curl_easy_setopt(e, CURLOPT_SSLCERT, conf->cert_file);
	curl_easy_setopt(e, CURLOPT_SSLKEY, conf->key_file);
}

static void set_http(CURL *e, const struct http_client_conf *conf)
{
	static const long versions[] = {
		[HTTP_V_AUTO] = CURL_HTTP_VERSION_2TLS,
		[HTTP_V_1_1] = CURL_HTTP_VERSION_1_1,
		[HTTP_V_2] = CURL_HTTP_VERSION_2TLS,
	};

	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, versions[conf->version]);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "niddgw/" NIDDGW_VERSION);
	/* Never the proxy of the environment; and nothing on this host goes through one. */
	curl_easy_setopt(e, CURLOPT_PROXY, conf->proxy ? conf->proxy : "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

CURL *client_easy_new(struct http_client *c)
{
	CURL *e = curl_easy_init();

	if (!e)
		return NULL;
	set_tls(e, &c->conf);
	set_http(e, &c->conf);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* never wait on the loop for a name server that is silent */
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)c->conf.connect_ms);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)KEPT_FOR_S);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_about_to_write);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, c);
	return e;
}

static void set_method(CURL *e, const struct http_call *call)
{
	static const char *const words[] = {
		[HTTP_PUT] = "PUT",
		[HTTP_PATCH] = "PATCH",
		[HTTP_DELETE] = "DELETE",
		[HTTP_OTHER] = NULL,
	};
	bool has_body = call->len || call->method == HTTP_POST || call->method == HTTP_PUT ||
		call->method == HTTP_PATCH;

	curl_easy_setopt(e, CURLOPT_HTTPGET, 1L); /* undoes what the last call has set */
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method > HTTP_POST ? words[call->method] : NULL);
	if (call->method == HTTP_HEAD)
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	if (!has_body || call->method == HTTP_HEAD)
		return;
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->len);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->body ? call->body : "");
}

static void set_call(CURL *e, struct http_call *call)
{
	bool may_h2 = call->client->conf.version != HTTP_V_1_1 && !strncasecmp(call->url, "https:", 6);

	set_method(e, call);
	/* Wait until ALPN has told whether the first connection is enough. Without TLS that would be the first answer. */
	curl_easy_setopt(e, CURLOPT_PIPEWAIT, may_h2 ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_URL, call->url);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->auth ? call->auth : call->lines);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, call->fresh ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, call->internal ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(e, CURLOPT_PRIVATE, call);
}

static void drop_auth(struct http_call *call)
{
	if (!call->auth)
		return;
	call->auth->next = NULL; /* `lines` stay */
	secret_wipe(call->auth->data, strlen(call->auth->data));
	curl_slist_free_all(call->auth);
	call->auth = NULL;
}

static void retire(struct http_client *c, CURL *e)
{
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(e, CURLOPT_PRIVATE, NULL);
	if (c->idle_n < c->idle_size && !c->closing)
		c->idle[c->idle_n++] = e;
	else
		curl_easy_cleanup(e);
}

void call_drop_easy(struct http_call *call)
{
	if (!call->easy)
		return;
	curl_multi_remove_handle(call->client->multi, call->easy);
	retire(call->client, call->easy);
	call->easy = NULL;
	drop_auth(call);
}

/* ---- beginning ---- */

static int add_line(struct http_call *call, const char *name, const char *value)
{
	char line[1024];
	struct curl_slist *more;

	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return -EINVAL; /* would break out of its line */
	if (snprintf(line, sizeof line, *value ? "%s: %s" : "%s;", name, value) >= (int)sizeof line)
		return -EINVAL;
	more = curl_slist_append(call->lines, line);
	if (!more)
		return -ENOMEM;
	call->lines = more;
	return 0;
}

static int set_lines(struct http_call *call, const struct http_call_conf *conf)
{
	bool typed = false;
	int err = 0;

	for (size_t i = 0; i < conf->headers_n && !err; i++) {
		err = add_line(call, conf->headers[i].name, conf->headers[i].value);
		typed = typed || !strcasecmp(conf->headers[i].name, "content-type");
	}
	if (!err && conf->content_type && !typed) {
		err = add_line(call, "Content-Type", conf->content_type);
		typed = true;
	}
	if (err)
		return err;
	/* Lines that libcurl would add on its own are taken back by an empty one of their name. */
	call->lines = curl_slist_append(call->lines, "Expect:");
	if (call->lines && !typed)
		call->lines = curl_slist_append(call->lines, "Content-Type:");
	return call->lines ? 0 : -ENOMEM;
}

int call_new(struct http_call **out, struct http_client *c, const struct http_call_conf *conf, http_done_fn *done,
	     void *arg)
{
	struct http_call *call = calloc(1, sizeof *call);
	int err = call ? 0 : -ENOMEM;

	if (err)
		return err;
	call->client = c;
	call->done = done;
	call->arg = arg;
	call->part = conf->part;
	call->method = conf->method;
	call->no_auth = conf->no_auth;
	call->timeout_ms = conf->timeout_ms ? conf->timeout_ms : c->conf.timeout_ms;
	call->all_permanent = true;
	call->url = strdup(conf->url);
	call->body = conf->len ? malloc(conf->len) : NULL;
	call->len = conf->len;
	if (!call->url || (conf->len && !call->body))
		err = -ENOMEM;
	else if (conf->len)
		memcpy(call->body, conf->body, conf->len);
	if (!err)
		err = set_lines(call, conf);
	if (err) {
		call_free(call);
		return err;
	}
	*out = call;
	return 0;
}

static void forget_answer(struct http_call *call)
{
	if (call->secret && call->answer)
		secret_wipe(call->answer, call->answer_size);
	free(call->answer);
	free(call->location);
	call->answer = call->location = NULL;
	call->answer_len = call->answer_size = 0;
	call->content_type[0] = call->error[0] = '\0';
	call->has_retry_after = call->too_large = call->second = call->stale = false;
	call->tries = 0;
	call->written_base = 0;
	call->local_port = 0;
}

void call_free(struct http_call *call)
{
	if (!call)
		return;
	timer_cancel(loop_timers(call->client->loop), &call->wait);
	forget_answer(call);
	drop_auth(call);
	curl_slist_free_all(call->lines);
	if (call->secret)
		secret_wipe(call->body, call->len);
	free(call->body);
	free(call->url);
	free(call);
}

/* One header line "Authorization: SCHEME VALUE" in front of the others. */
static int set_auth(struct http_call *call, const char *scheme, const char *value)
{
	size_t size = strlen(scheme) + strlen(value) + 20;
	char *line = malloc(size);
	struct curl_slist *node = NULL;

	if (!line)
		return -ENOMEM;
	snprintf(line, size, "Authorization: %s %s", scheme, value);
	node = curl_slist_append(NULL, line);
	secret_wipe(line, size);
	free(line);
	if (!node)
		return -ENOMEM;
	node->next = call->lines;
	call->auth = node;
	return 0;
}

int call_set_basic(struct http_call *call, const char *user, const char *secret_file)
{
	char pair[SECRET_MOST + 256], text[BASE64_LEN(sizeof pair) + 1];
	size_t n = strlen(user);
	long got;
	int err;

	if (n > 254)
		return -EINVAL;
	memcpy(pair, user, n);
	pair[n] = ':';
	got = secret_read(secret_file, pair + n + 1, SECRET_MOST);
	if (got < 0)
		return (int)got;
	base64_encode(text, pair, n + 1 + (size_t)got);
	err = set_auth(call, "Basic", text);
	secret_wipe(pair, sizeof pair);
	secret_wipe(text, sizeof text);
	return err;
}

static int set_credentials(struct http_call *call)
{
	const struct http_client *c = call->client;
	int err = 0;

	if (call->no_auth)
		return 0;
	if (c->conf.auth == HTTP_AUTH_OAUTH2) {
		call->generation = c->token.generation;
		return set_auth(call, "Bearer", c->token.value);
	}
	if (c->conf.auth == HTTP_AUTH_BASIC) {
		err = call_set_basic(call, c->conf.user, c->conf.password_file);
		call->auth_failed = err && err != -ENOMEM;
		if (err)
			snprintf(call->error, sizeof call->error, "password file: %s", strerror(-err));
	}
	return err;
}

int call_start(struct http_call *call)
{
	struct http_client *c = call->client;
	int err;

	forget_answer(call);
	err = call->auth ? 0 : set_credentials(call);
	if (err)
		return err;
	call->easy = c->idle_n ? c->idle[--c->idle_n] : client_easy_new(c);
	if (!call->easy)
		return -ENOMEM;
	set_call(call->easy, call);
	if (curl_multi_add_handle(c->multi, call->easy)) {
		retire(c, call->easy);
		call->easy = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* ---- ending ---- */

static void take_header_lines(struct http_call *call)
{
	struct curl_header *h;
	const char *type = NULL;
	int status = call->status;

	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
	snprintf(call->content_type, sizeof call->content_type, "%s", type ? type : "");
	if (!curl_easy_header(call->easy, "Location", 0, CURLH_HEADER, -1, &h))
		call->location = url_resolve(call->url, h->value);
	if ((status == 429 || status >= 300) && !curl_easy_header(call->easy, "Retry-After", 0, CURLH_HEADER, -1, &h))
		call->has_retry_after = retry_after_parse(h->value, clock_wall_ms(), &call->retry_after_ms);
}

/* Which failures say that the TLS ends do not trust or understand each other, and not that the network failed. */
static bool is_tls(CURLcode code, const char *error)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return true;
	case CURLE_SSL_CONNECT_ERROR:
		return !strstr(error, "SSL_ERROR_SYSCALL") && !strstr(error, "reset by peer");
	case CURLE_RECV_ERROR: /* with TLS 1.3 the refusal of our certificate comes after the handshake */
		return strstr(error, " alert ");
	default:
		return false;
	}
}

static void note_version(struct http_call *call)
{
	struct client_socket *s;
	long version = 0;

	curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, &version);
	if (version != CURL_HTTP_VERSION_2_0)
		return;
	s = client_socket_of(call->client, call->local_port);
	if (s)
		s->h2 = true;
	if (!call->internal)
		call->client->h2 = true;
}

/* May the request go to where this 307 or 308 points? Says why not in call->error. */
static bool may_follow(struct http_call *call)
{
	const struct http_client *c = call->client;
	const char *why = NULL;

	if ((call->status != 307 && call->status != 308) || call->internal)
		return false;
	if (!call->location)
		why = "redirect without a usable Location";
	else if (call->hops == HOPS_MOST)
		why = "too many redirects";
	else if (url_is_downgrade(call->url, call->location))
		why = "redirect from https to http";
	else if (!origins_have(c->origins, c->origins_n, call->location))
		why = "redirect to another host";
	if (why)
		snprintf(call->error, sizeof call->error, "%s", why);
	return !why;
}

/* Once more from the beginning. */
static void again(struct http_call *call, struct call_list *list, enum call_state state, bool front)
{
	forget_answer(call);
	call->status = 0;
	call->fresh = false;
	call_queue(call, list, state, front);
}

static void follow(struct http_call *call)
{
	call->hops++;
	call->all_permanent = call->all_permanent && call->status == 308;
	free(call->url);
	call->url = call->location;
	call->location = NULL;
	again(call, &call->client->queue, CALL_QUEUED, true);
}

static void answered(struct http_call *call)
{
	struct http_client *c = call->client;

	if (may_follow(call)) {
		follow(call);
		return;
	}
	if (call->status == 401 && c->conf.auth == HTTP_AUTH_OAUTH2 && !call->no_auth && !call->resent &&
	    token_rejected(c, call->generation)) {
		call->resent = true;
		again(call, &c->waiting, CALL_NEEDS_TOKEN, false);
		client_token_changed(c); /* perhaps there is a newer one already */
		return;
	}
	call_end(call, HTTP_ANSWERED, NULL);
}

static void failed(struct http_call *call, CURLcode code, bool sent)
{
	if (!call->error[0])
		snprintf(call->error, sizeof call->error, "%s", curl_easy_strerror(code));
	call->tls_failed = is_tls(code, call->error);
	if (call->too_large)
		call_end(call, HTTP_TOO_LARGE, "answer too large");
	else if (call->second)
		call_end(call, HTTP_UNKNOWN, "connection closed without an answer");
	else
		call_end(call, sent ? HTTP_UNKNOWN : HTTP_NOT_SENT, NULL);
}

void call_finished(struct http_call *call, CURLcode code)
{
	struct http_client *c = call->client;
	bool sent = call->tries && written(call) > 0;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->status = (int)status;
	note_version(call);
	if (!code)
		take_header_lines(call);
	call_drop_easy(call);
	if (!call->done) { /* cancelled meanwhile */
		call_queue(call, NULL, CALL_ENDED, false);
		call_free(call);
	} else if (!code) {
		answered(call);
	} else if (call->stale && !sent && call->restarts++ < RESTARTS_MOST) {
		again(call, &c->queue, CALL_QUEUED, true);
		call->fresh = true;
	} else {
		failed(call, code, sent);
	}
	client_kick(c);
}
