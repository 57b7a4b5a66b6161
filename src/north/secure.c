/* SPDX-License-Identifier: Apache-2.0 */
/* secure.c - the handshakes of one association: what goes into one, how it ended, what is kept of it
 *
 * Keys are read when a handshake begins and wiped when it is over.
 */
#include "north/secure.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"

/* The Makefile gives the time of the commit; a compiler that is called by hand knows none. */
#ifndef NIDDGW_BUILT
#define NIDDGW_BUILT 1767225600 /* 2026-01-01 */
#endif

enum {
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MOST_MS = 60000,
};

int secure_init(struct secure *x, const char *who)
{
	x->who = strdup(who);
	return x->who ? 0 : -ENOMEM;
}

static void wipe_psk(struct secure *x)
{
	secret_wipe(x->psk, sizeof *x->psk);
	free(x->psk);
	x->psk = NULL;
}

void secure_drop(struct secure *x)
{
	wipe_psk(x);
	if (!x->ssl)
		return;
	SSL_set_app_data(x->ssl, NULL);
	SSL_set_shutdown(x->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its session counts as a bad one */
	SSL_free(x->ssl);
	x->ssl = NULL;
	secure_ctx_put(x->ctx);
	x->ctx = NULL;
}

/* ---- alarms ---- */

static void set_auth_failed(struct north_assoc *a, struct secure *x, const char *why)
{
	struct north_server *s = a->srv;
	char text[400];

	if (x->auth_failed)
		return;
	x->auth_failed = true;
	if (s->auth_failed++)
		return;
	snprintf(text, sizeof text, "%s: %s", x->who, why);
	alarm_raise(s->north->env.alarms, ALARM_MAJOR, "server.auth_failed", s->name, text,
		    "compare keys, certificates and names with those of the server");
}

static void clear_auth_failed(struct north_assoc *a, struct secure *x)
{
	struct north_server *s = a->srv;

	if (!x->auth_failed)
		return;
	x->auth_failed = false;
	if (--s->auth_failed == 0)
		alarm_clear(s->north->env.alarms, "server.auth_failed", s->name);
}

void secure_check_expiry(struct north_assoc *a, struct secure *x)
{
	const bool soon = secure_ends_soon(x->expires_s);

	if (soon && !x->cert_alarm)
		secure_raise_expiry(a->srv, x->who, "the certificate of the device", x->expires_s);
	else if (!soon && x->cert_alarm)
		alarm_clear(a->srv->north->env.alarms, "cert.expiring", x->who);
	x->cert_alarm = soon;
}

void secure_fini(struct north_assoc *a, struct secure *x)
{
	secure_drop(x);
	clear_auth_failed(a, x);
	x->expires_s = 0;
	if (x->who)
		secure_check_expiry(a, x);
	free(x->who);
}

/* ---- what goes into a handshake ---- */

static enum secure_result take_psk(struct secure *x, const struct north_credentials *c, char *why, size_t size)
{
	int n;

	if (!c->psk_identity || !c->psk_key) {
		snprintf(why, size, "the device has no %s", c->psk_identity ? "psk_key" : "psk_identity");
		return SECURE_NO_KEY;
	}
	if (strlen(c->psk_identity) > NORTH_PSK_IDENTITY_MAX) {
		snprintf(why, size, "psk_identity is longer than %d octets", NORTH_PSK_IDENTITY_MAX);
		return SECURE_NO_KEY;
	}
	x->psk = calloc(1, sizeof *x->psk);
	if (!x->psk) {
		snprintf(why, size, "%s", strerror(ENOMEM));
		return SECURE_FAILED;
	}
	n = secure_read_psk(x->psk->key, c->psk_key, why, size);
	if (n < 0)
		return SECURE_NO_KEY;
	x->psk->len = (unsigned)n;
	strcpy(x->psk->identity, c->psk_identity);
	return SECURE_OK;
}

/* The device's own certificate stands before the server's, which the context has. */
static enum secure_result take_cert(struct secure *x, const struct north_credentials *c, char *why, size_t size)
{
	char reason[120];

	if (!c->cert_file && !c->key_file)
		return SECURE_OK;
	if ((c->cert_file && SSL_use_certificate_chain_file(x->ssl, c->cert_file) != 1) || !c->key_file ||
	    SSL_use_PrivateKey_file(x->ssl, c->key_file, SSL_FILETYPE_PEM) != 1 ||
	    (c->cert_file && SSL_check_private_key(x->ssl) != 1)) {
		secure_reason(reason, sizeof reason);
		snprintf(why, size, "cert_file and key_file of the device cannot be used: %s", reason);
		return SECURE_NO_KEY;
	}
	x->expires_s = c->cert_file ? secure_expires_s(SSL_get_certificate(x->ssl)) : 0;
	return SECURE_OK;
}

static enum secure_result new_ssl(struct north_assoc *a, struct secure *x, char *why, size_t size)
{
	x->ssl = SSL_new(a->srv->secure->ssl);
	if (!x->ssl) {
		secure_reason(why, size);
		return SECURE_FAILED;
	}
	x->ctx = secure_ctx_get(a->srv->secure);
	SSL_set_app_data(x->ssl, x);
	SSL_set_connect_state(x->ssl);
	if (!x->ctx->address)
		(void)SSL_set_tlsext_host_name(x->ssl, x->ctx->name);
	X509_VERIFY_PARAM_set_time(SSL_get0_param(x->ssl), (time_t)(clock_wall_ms() / 1000));
	return SECURE_OK;
}

enum secure_result secure_begin(struct north_assoc *a, struct secure *x, char *why, size_t size)
{
	const bool psk = a->srv->secure->security == SERVER_PSK;
	struct north_credentials c = { 0 };
	enum secure_result r;

	secure_drop(x);
	ERR_clear_error();
	x->denied = NULL;
	x->messages = 0;
	x->heard = x->offered = x->fresh = false;
	x->expires_s = 0;
	if (!psk && clock_wall_ms() / 1000 < NIDDGW_BUILT) {
		snprintf(why, size,
			 "the clock of this box is before the time at which this program was built, so no "
			 "certificate can be judged");
		return SECURE_CLOCK;
	}
	if (a->events->credentials)
		a->events->credentials(a->arg, &c);
	r = new_ssl(a, x, why, size);
	if (!r)
		r = psk ? take_psk(x, &c, why, size) : take_cert(x, &c, why, size);
	if (r)
		return r;
	secure_resume(a, x, &c);
	return SECURE_OK;
}

/* ---- how it ended ---- */

enum secure_result secure_outcome(struct secure *x, int ret, char *why, size_t size)
{
	const int kind = SSL_get_error(x->ssl, ret);
	const unsigned long code = ERR_peek_error();
	const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;

	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		snprintf(why, size, "%s",
			 x->denied ? x->denied : X509_verify_cert_error_string(SSL_get_verify_result(x->ssl)));
		ERR_clear_error();
		return SECURE_DENIED;
	}
	if (reason > SSL_AD_REASON_OFFSET) {
		snprintf(why, size, "the server sends alert \"%s\"",
			 SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
		ERR_clear_error();
		return SECURE_ALERT;
	}
	if (!code)
		snprintf(why, size, "%s",
			 kind == SSL_ERROR_SYSCALL ? "the connection was lost" : "the server closes it");
	else
		secure_reason(why, size);
	return SECURE_FAILED;
}

void secure_good(struct north_assoc *a, struct secure *x)
{
	const bool resumed = SSL_session_reused(x->ssl);

	++*a->srv->handshakes[resumed ? SECURE_RESUMED : SECURE_OK];
	wipe_psk(x);
	log_ev(x->failing ? LOG_NOTICE : LOG_DEBUG, "north", "handshake", LF_STR("dev", x->who),
	       LF_STR("server", a->srv->name), LF_STR("suite", SSL_get_cipher_name(x->ssl)),
	       LF_BOOL("resumed", resumed));
	x->failing = 0;
	x->backoff_ms = 0;
	clear_auth_failed(a, x);
	secure_check_expiry(a, x);
	secure_server_seen(a->srv, secure_expires_s(SSL_get0_peer_certificate(x->ssl)));
	if (x->offered && !resumed && !x->fresh)
		secure_forget(a);
	secure_keep(a, x);
}

/* A server that only falls silent says nothing about keys; one that stops in the middle of a handshake does, because
 * some drop what they cannot decrypt without a word. */
static bool is_about_keys(const struct secure *x, enum secure_result r)
{
	return r != SECURE_TIMEOUT || x->heard;
}

uint32_t secure_failed(struct north_assoc *a, struct secure *x, enum secure_result r, const char *why)
{
	const uint32_t backoff = x->backoff_ms ? x->backoff_ms : BACKOFF_FIRST_MS;
	const uint32_t wait = backoff * 3 / 4 + random_below(backoff / 2);

	++*a->srv->handshakes[r];
	log_ev(x->failing == r + 1 ? LOG_DEBUG : LOG_WARNING, "north", "handshake.failed", LF_STR("dev", x->who),
	       LF_STR("server", a->srv->name), LF_STR("result", secure_result_name(r)), LF_STR("reason", why),
	       LF_UINT("again_ms", wait));
	x->failing = (uint8_t)(r + 1);
	if (is_about_keys(x, r))
		set_auth_failed(a, x, why);
	if (x->offered &&
	    is_about_keys(x, r)) /* so that a session which the server chokes on is not offered for ever */
		secure_forget(a);
	x->offered = false;
	x->backoff_ms = backoff * 2 < BACKOFF_MOST_MS ? backoff * 2 : BACKOFF_MOST_MS;
	secure_drop(x);
	return wait;
}
