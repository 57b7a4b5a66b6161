/* SPDX-License-Identifier: Apache-2.0 */
/* easy.c - what libcurl is told of a request, and what it asks back
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

#include "http/client_internal.h"

enum { KEPT_FOR_S = 55 };

/* ---- callbacks of libcurl ---- */

static bool is_safe(enum http_method m)
{
	return m == HTTP_GET || m == HTTP_HEAD;
}

long call_written(const struct http_call *call)
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
	if (call->tries++ && call_written(call) > 0 && !is_safe(call->method)) {
		call->second = true;
		return CURL_PREREQFUNC_ABORT;
	}
	/* Between answers an HTTP/1 peer has nothing to say but that it closes. HTTP/2 has, and libcurl reads it. */
	if (s && s->uses++ && !s->h2 && is_readable(s->fd)) {
		call->stale = true;
		return CURL_PREREQFUNC_ABORT;
	}
	call->written_base += call_written(call);
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
	/* Never the proxy of the environment; and nothing on this host goes through one. */
	curl_easy_setopt(e, CURLOPT_PROXY, conf->proxy ? conf->proxy : "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

void client_easy_free(struct client_easy *h)
{
	curl_easy_cleanup(h->easy);
	curl_url_cleanup(h->url);
	*h = (struct client_easy){ 0 };
}

int client_easy_new(struct http_client *c, struct client_easy *out)
{
	CURL *e = curl_easy_init();

	*out = (struct client_easy){ e, curl_url(), NULL };
	if (!e || !out->url) {
		client_easy_free(out);
		return -ENOMEM;
	}
	curl_easy_setopt(e, CURLOPT_CURLU, out->url);
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
	return 0;
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

static const char *origin_of(const struct http_call *call, const char **path)
{
	const struct http_client *c = call->client;

	for (size_t i = 0; i < c->origins_n; i++) {
		size_t n = strlen(c->origins[i].text);

		if (!strncmp(call->url, c->origins[i].text, n) && call->url[n] == '/') {
			*path = call->url + n;
			return c->origins[i].text;
		}
	}
	return NULL;
}

/* libcurl is given the URL in parts, because it would parse it and print it again for each request. A path that is more
 * than plain segments is left to it: it would change the case of escapes. */
static int set_url(struct http_call *call)
{
	struct client_easy *h = &call->handle;
	const char *path = NULL, *origin = origin_of(call, &path);
	CURLUcode err = CURLUE_OK;

	if (!origin || strpbrk(path, "%?#") || origin != h->origin) {
		h->origin = NULL;
		err = curl_url_set(h->url, CURLUPART_URL, call->url, CURLU_PATH_AS_IS);
		if (!err && origin && !strpbrk(path, "?#"))
			h->origin = origin;
	} else {
		err = curl_url_set(h->url, CURLUPART_PATH, path, 0);
	}
	if (err)
		return err == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
	return curl_easy_setopt(h->easy, CURLOPT_URL, call->url) ? -ENOMEM
								 : 0; /* for messages; else it would print one itself */
}

int easy_set_call(struct http_call *call)
{
	CURL *e = call->easy;
	bool may_h2 = call->client->conf.version != HTTP_V_1_1 && !strncasecmp(call->url, "https:", 6);

	set_method(e, call);
	/* Wait until ALPN has told whether the first connection is enough. Without TLS that would be the first answer.
	 */
	curl_easy_setopt(e, CURLOPT_PIPEWAIT, may_h2 ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->auth ? call->auth : call->lines);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, call->fresh ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, call->internal ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(e, CURLOPT_PRIVATE, call);
	return set_url(call);
}
