/* SPDX-License-Identifier: Apache-2.0 */
/* secure.h - what DTLS and TLS towards a server have in common
 *
 * One context per server holds what its configuration names; one `struct secure` per association holds a handshake, what it
 * used, and how the last ones ended. The transports move octets and keep timers.
 */
#ifndef NIDDGW_NORTH_SECURE_H
#define NIDDGW_NORTH_SECURE_H

#include <openssl/ssl.h>

#include "north/parts.h"

enum { SECURE_PINS = 8, SECURE_FINGERPRINT = 16 };

/* ---- secure_ctx.c: the context of a server, also made to check a configuration ---- */

struct secure_fault {
	const char *key; /* of server_conf, or of north_credentials */
	char text[240];
};
struct secure_ctx {
	unsigned refs;             /* the server's, and one of each association that has an SSL of it */
	SSL_CTX *ssl;              /* owned */
	int (*judge)(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *ex); /* OpenSSL's own, of its level */
	enum server_security security;
	bool stream;               /* TLS, else DTLS */
	bool verify;               /* against authorities; else the pin alone decides */
	bool address;              /* the name is a numeric address: no SNI */
	char name[256];            /* looked for in the certificate */
	uint8_t pins[SECURE_PINS][32];
	unsigned pins_n;
	uint64_t expires_s;        /* Unix time at which cert_file ends; 0: there is none */
	uint8_t fingerprint[SECURE_FINGERPRINT]; /* of all that a full handshake would check; keyed, changes when a file does */
};
/* key: 32 octets for the fingerprint. -EINVAL with a fault, -ENOMEM. */
int secure_ctx_new(struct secure_ctx **out, const struct server_conf *conf, const struct server_uri *uri, bool stream, const uint8_t *key,
		   struct secure_fault *fault);
struct secure_ctx *secure_ctx_get(struct secure_ctx *c);
void secure_ctx_put(struct secure_ctx *c); /* NULL is fine */
/* The last thing OpenSSL complained of, in words; the queue is empty afterwards. */
void secure_reason(char *buf, size_t size);

/* ---- secure_file.c: files, and nothing is taken from half a one ---- */

/* All certificates of a PEM file into store (revoked: all lists). -EINVAL, and why: a directory, empty, damaged, none in it. */
int secure_load_certs(X509_STORE *store, const char *file, bool revoked, char *why, size_t size);
int secure_check_dir(const char *dir, char *why, size_t size); /* has at least one hashed name */
/* The key of a device, from one line of hexadecimal digits. Octets, or -EINVAL and why. The caller wipes key. */
int secure_read_psk(uint8_t key[NORTH_PSK_MAX], const char *file, char *why, size_t size);
/* One octet after the other of the file into the digest; what cannot be read counts as nothing. */
void secure_digest_file(EVP_MD_CTX *md, const char *file);
int secure_pins_parse(uint8_t pins[SECURE_PINS][32], unsigned *n, const char *text); /* -EBADMSG */

/* ---- secure_verify.c: what OpenSSL calls; the app data of an SSL is its struct secure ---- */

int secure_verify(X509_STORE_CTX *store, void *ctx); /* SSL_CTX_set_cert_verify_callback() */
uint64_t secure_expires_s(const X509 *cert);         /* Unix time of notAfter; 0 when it has none that can be read */

/* SSL_CTX_set_psk_client_callback(), and for TLS 1.3 as well. */
unsigned secure_psk_client(SSL *ssl, const char *hint, char *identity, unsigned identity_size, unsigned char *key, unsigned key_size);
/* SSL_CTX_set_msg_callback() */
void secure_message(int write, int version, int type, const void *data, size_t len, SSL *ssl, void *arg);
int secure_new_session(SSL *ssl, SSL_SESSION *session); /* SSL_CTX_sess_set_new_cb() */

/* ---- secure.c: one association ---- */

enum secure_result {
	SECURE_OK,
	SECURE_RESUMED,
	SECURE_TIMEOUT,
	SECURE_DENIED,  /* the server's certificate, name or key is not what it has to be */
	SECURE_ALERT,   /* the server says no */
	SECURE_NO_KEY,  /* of the device: none, or its files cannot be used */
	SECURE_CLOCK,   /* certificates cannot be judged by the clock of this box */
	SECURE_FAILED,  /* no protocol or suite in common, or not the protocol at all */
	SECURE_RESULT_COUNT
};

struct secure_psk {
	uint8_t key[NORTH_PSK_MAX];
	unsigned len;
	char identity[NORTH_PSK_IDENTITY_MAX + 1];
};
struct secure {
	struct secure_ctx *ctx; /* of ssl */
	SSL *ssl;               /* owned; NULL: none since the last handshake or session ended */
	char *who;              /* owned: name of the device */
	struct secure_psk *psk; /* owned, while a handshake runs */
	const char *denied;     /* why the certificate was refused, when OpenSSL has no word for it */
	uint64_t expires_s;     /* of the device's own certificate; 0: it has none */
	uint32_t backoff_ms;    /* before the next try; 0: the last one was good */
	uint8_t failing;        /* 1 + enum secure_result of the last warning; 0: none since it was good */
	uint16_t messages;      /* of the server in this handshake */
	bool heard;             /* its ServerHello among them */
	bool offered;           /* a former session, in this handshake */
	bool fresh;             /* there is a session that the owner has not got yet */
	bool auth_failed;       /* counts in its server's auth_failed */
	bool cert_alarm;
	uint8_t fingerprint[SECURE_FINGERPRINT]; /* of the running handshake: a session that it leaves is good for the same only */
};
int secure_init(struct secure *x, const char *who); /* -ENOMEM */
void secure_fini(struct north_assoc *a, struct secure *x);

/* Begin a handshake: with SECURE_OK x->ssl is a fresh object of a client with keys, names and the session to resume in it, without
 * a BIO. Else it cannot begin; why says it in words, and secure_failed() is to be called. */
enum secure_result secure_begin(struct north_assoc *a, struct secure *x, char *why, size_t size);
/* How SSL_do_handshake() ended that gave ret and is not waiting for anything, in words too. */
enum secure_result secure_outcome(struct secure *x, int ret, char *why, size_t size);
/* It is over and good: counted, alarms cleared, and what can be resumed is handed to the owner. */
void secure_good(struct north_assoc *a, struct secure *x);
/* Over and not good: counted, one warning for a row of the same, an alarm; the SSL is gone. Returns the milliseconds to wait before the
 * next try, with jitter in it. */
uint32_t secure_failed(struct north_assoc *a, struct secure *x, enum secure_result r, const char *why);
/* secure_resume.c. The fingerprint of this handshake, and the session that the owner has kept, if it still may be resumed. */
void secure_resume(const struct north_assoc *a, struct secure *x, const struct north_credentials *c);
void secure_forget(struct north_assoc *a); /* the owner need not keep it any more */
/* Hands the owner a session that came since, if any (TLS 1.3: after the handshake). */
void secure_keep(struct north_assoc *a, struct secure *x);
/* Frees the SSL, without a word to anybody; the session stays good for resumption. */
void secure_drop(struct secure *x);
void secure_check_expiry(struct north_assoc *a, struct secure *x); /* of the device's certificate: cert.expiring */

/* ---- secure_server.c: a server whose associations are secured ---- */

int secure_server_open(struct north_server *s); /* -EINVAL with a line in the log, -ENOMEM */
void secure_server_close(struct north_server *s);
/* s->conf is another one, or its files are: the next handshake goes by it. What cannot be used is logged and the old one kept. */
void secure_server_renew(struct north_server *s);
const char *secure_result_name(enum secure_result r);
bool secure_ends_soon(uint64_t expires_s);
void secure_raise_expiry(struct north_server *s, const char *source, const char *whose, uint64_t expires_s); /* cert.expiring */
void secure_server_seen(struct north_server *s, uint64_t expires_s); /* the end of the certificate that it showed */

#endif
