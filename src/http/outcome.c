/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.c - what became of a request: an answer, once more, or a failure of one of three kinds
 *
 * The kinds differ in what the caller may do next: what was not sent may be sent again, what may have been processed
 * may not.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/client_internal.h"

enum { RESTARTS_MOST = 2 };

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
	call_forget_answer(call);
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

/* "Operation timed out after 30012 milliseconds with 0 bytes received": without the numbers it is the same text each
 * time. */
static void cut_figures(char *error)
{
	char *at = strstr(error, " after ");

	if (at && at[7] >= '0' && at[7] <= '9')
		*at = '\0';
}

static void failed(struct http_call *call, CURLcode code, bool sent)
{
	if (!call->error[0])
		snprintf(call->error, sizeof call->error, "%s", curl_easy_strerror(code));
	if (code == CURLE_OPERATION_TIMEDOUT)
		cut_figures(call->error);
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
	bool sent = call->tries && call_written(call) > 0;
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
