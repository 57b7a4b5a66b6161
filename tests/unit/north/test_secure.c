/* SPDX-License-Identifier: Apache-2.0 */
/* test_secure.c - stands for src/north/secure_ctx.c, secure_verify.c, secure_file.c and secure_server.c: who the server
 * is
 *
 * One handshake per case, against a server in the same loop that shows a certificate made for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "unit/http/certs.h"
#include "unit/north/dtls_scene.h"

#define CERT_ALL "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-CCM"

static struct {
	struct cert ca, other_ca, good, named, expired, early, soon, stranger, gone, weak, device;
	char crl[96], empty_crl[96], two[96], cut[96], blank[96], dir[96];
} c;

/* ---- certificates, made once ---- */

static void write_text(char *path, const char *name, const char *text, size_t len)
{
	FILE *f;

	snprintf(path, sizeof c.cut, "%s/%s", cert_dir, name);
	f = fopen(path, "w");
	fwrite(text, 1, len, f);
	fclose(f);
}

static size_t read_text(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n = fread(text, 1, size, f);

	fclose(f);
	return n;
}

static int make_certs(void **state)
{
	static const int now[2] = { 0, 365 }, past[2] = { -30, -1 }, later[2] = { 10, 100 }, short_time[2] = { 0, 10 };
	char text[8192];
	size_t n;

	(void)state;
	strcpy(cert_dir, "/tmp/niddgw-certs-XXXXXX");
	assert_non_null(mkdtemp(cert_dir));
	cert_make(&c.ca, "ca", NULL, NULL, now, EVP_sha256());
	cert_make(&c.other_ca, "other-ca", NULL, NULL, now, EVP_sha256());
	cert_make(&c.good, "good", &c.ca, "IP:127.0.0.1", now, EVP_sha256());
	cert_make(&c.named, "named", &c.ca, "DNS:lwm2m.example", now, EVP_sha256());
	cert_make(&c.expired, "expired", &c.ca, "IP:127.0.0.1", past, EVP_sha256());
	cert_make(&c.early, "early", &c.ca, "IP:127.0.0.1", later, EVP_sha256());
	cert_make(&c.soon, "soon", &c.ca, "IP:127.0.0.1", short_time, EVP_sha256());
	cert_make(&c.stranger, "stranger", &c.other_ca, "IP:127.0.0.1", now, EVP_sha256());
	cert_make(&c.gone, "gone", &c.ca, "IP:127.0.0.1", now, EVP_sha256());
	cert_make(&c.weak, "weak", &c.ca, "IP:127.0.0.1", now, EVP_sha1());
	cert_make(&c.device, "device", &c.ca, "URI:urn:imei:490154203237518", now, EVP_sha256());
	snprintf(c.crl, sizeof c.crl, "%s/crl.pem", cert_dir);
	crl_make(c.crl, &c.ca, &c.gone);
	snprintf(c.empty_crl, sizeof c.empty_crl, "%s/none.pem", cert_dir);
	crl_make(c.empty_crl, &c.ca, NULL);
	n = read_text(c.ca.cert_file, text, sizeof text);
	n += read_text(c.other_ca.cert_file, text + n, sizeof text - n);
	write_text(c.two, "two.pem", text, n);
	write_text(c.cut, "cut.pem", text, n - 40);
	write_text(c.blank, "blank.pem", "\r\n \r\n", 5);
	snprintf(c.dir, sizeof c.dir, "%s/dir", cert_dir);
	assert_int_equal(mkdir(c.dir, 0755), 0);
	return 0;
}

static int drop_certs(void **state)
{
	char command[128];

	(void)state;
	cert_free(&c.ca);
	cert_free(&c.other_ca);
	cert_free(&c.good);
	cert_free(&c.named);
	cert_free(&c.expired);
	cert_free(&c.early);
	cert_free(&c.soon);
	cert_free(&c.stranger);
	cert_free(&c.gone);
	cert_free(&c.weak);
	cert_free(&c.device);
	snprintf(command, sizeof command, "rm -rf '%s'", cert_dir);
	return system(command) ? -1 : 0;
}

/* ---- one server, one device ---- */

static struct server_conf x509(void)
{
	return (struct server_conf){ .security = SERVER_X509, .ca_file = c.ca.cert_file };
}

static void show(struct scene *s, const struct cert *cert, struct server_conf conf)
{
	peer_forget(s->peer);
	peer_renew(s->peer, CERT_ALL);
	peer_cert(s->peer, cert->x509, cert->key);
	secure_server(s, conf);
}

static void is_accepted(struct scene *s, const struct cert *cert, struct server_conf conf)
{
	struct peer p = { 0 };

	show(s, cert, conf);
	bring_up(s, &p);
	echo(s, &p, "secret");
	assert_int_equal(p.denied, 0);
	close_peer(&p);
}

static void is_refused(struct scene *s, const struct cert *cert, struct server_conf conf, const char *why)
{
	struct peer p = { 0 };

	show(s, cert, conf);
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, was_denied, &p));
	assert_int_equal(p.up, 0);
	assert_int_equal(p.denied, 1);
	assert_int_equal(handshakes(s, SECURE_DENIED), 1);
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), -EACCES);
	expect_alarm(s, "server.auth_failed/main: meter-17: ");
	expect_alarm(s, why);
	close_peer(&p);
	assert_int_equal(alarms_count(s->f.alarms), 0);
	*s->f.server->handshakes[SECURE_DENIED] = 0; /* the cell lives as long as the metrics */
}

/* ---- names and dates ---- */

static void coap_54_right_name_is_accepted_and_another_refused(void **state)
{
	struct scene *s = *state;
	struct server_conf conf = x509();

	is_accepted(s, &c.good, conf); /* by the address in the URI */
	is_refused(s, &c.named, conf, "IP address mismatch");
	conf.server_name = "lwm2m.example";
	is_accepted(s, &c.named, conf);
	assert_string_equal(s->peer->sni, "lwm2m.example");
	is_refused(s, &c.good, conf, "ostname mismatch");
	conf.server_name = "example";
	is_refused(s, &c.named, conf, "ostname mismatch");
}

static void coap_54_certificate_out_of_date_is_refused(void **state)
{
	struct scene *s = *state;

	is_refused(s, &c.expired, x509(), "certificate has expired");
	is_refused(s, &c.early, x509(), "certificate is not yet valid");
}

static void certificate_of_another_authority_is_refused(void **state)
{
	struct scene *s = *state;
	struct server_conf conf = x509();

	is_refused(s, &c.stranger, conf, "unable to get local issuer certificate");
	is_refused(s, &c.ca, conf, "mismatch"); /* it is not the server */
	conf.ca_file = c.two;                   /* both */
	is_accepted(s, &c.stranger, conf);
	is_accepted(s, &c.good, conf);
}

static void directory_of_authorities_is_looked_up_by_hash(void **state)
{
	struct scene *s = *state;
	struct server_conf conf = { .security = SERVER_X509, .ca_dir = c.dir };
	char link[160], name[32];

	snprintf(name, sizeof name, "%08lx.0", X509_NAME_hash_ex(X509_get_subject_name(c.ca.x509), NULL, NULL, NULL));
	snprintf(link, sizeof link, "%s/%s", c.dir, name);
	assert_int_equal(symlink(c.ca.cert_file, link), 0);
	is_accepted(s, &c.good, conf);
	is_refused(s, &c.stranger, conf, "unable to get local issuer certificate");
	unlink(link);
}

static void revoked_certificate_is_refused(void **state)
{
	struct scene *s = *state;
	struct server_conf conf = x509();

	conf.crl_file = c.crl;
	is_refused(s, &c.gone, conf, "certificate revoked");
	is_accepted(s, &c.good, conf);
	conf.crl_file = c.empty_crl;
	is_accepted(s, &c.gone, conf);
}

static void S47_weak_signature_is_refused(void **state)
{
	struct scene *s = *state;

	is_refused(s, &c.weak, x509(), "too weak");
}

/* The older protocol, and suites without authenticated encryption. */
static void S47_what_is_old_is_refused(void **state)
{
	struct scene *s = *state;
	struct peer p = { 0 };

	show(s, &c.good, x509());
	SSL_CTX_set_min_proto_version(s->peer->ctx, DTLS1_VERSION);
	SSL_CTX_set_max_proto_version(s->peer->ctx, DTLS1_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(s->peer->ctx, "ALL:@SECLEVEL=0"), 1);
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, has_failed, &p));
	expect_alarm(s, "server.auth_failed/main: meter-17: ");
	assert_int_equal(p.up, 0);
	close_peer(&p);
	show(s, &c.good, x509());
	assert_int_equal(SSL_CTX_set_cipher_list(s->peer->ctx, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-NULL-SHA"), 1);
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, has_failed, &p));
	assert_int_equal(p.up, 0);
	close_peer(&p);
}

static bool has_said_no(struct fixture *f)
{
	return ((struct dtls_peer *)f->what)->messages;
}

static void S47_renegotiation_is_refused(void **state)
{
	struct scene *s = *state;
	struct peer p = { 0 };
	SSL *ssl;

	show(s, &c.good, x509());
	bring_up(s, &p);
	echo(s, &p, "x");
	s->peer->messages = 0;
	ssl = s->peer->ssl[north_assoc_port(p.assoc)];
	assert_int_equal(SSL_renegotiate(ssl), 1);
	(void)SSL_do_handshake(ssl); /* a HelloRequest */
	peer_flush(s->peer, north_assoc_port(p.assoc));
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), 0);
	assert_true(wait_for(&s->f, has_said_no, s->peer)); /* messages go on in the old session */
	assert_int_equal(s->peer->hellos, 1);
	close_peer(&p);
}

/* ---- the pinned key ---- */

static void pin_of(char text[65], const struct cert *cert)
{
	unsigned char *der = NULL, digest[32];
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &der);

	EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	for (int i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static void pinned_key_stands_for_authority_and_name(void **state)
{
	struct scene *s = *state;
	char pin[65], both[131], other[65];
	struct server_conf conf = { .security = SERVER_X509, .pin_sha256 = pin };

	pin_of(pin, &c.stranger);
	is_accepted(s, &c.stranger, conf);
	is_refused(s, &c.good, conf, "its public key is not the pinned one");
	pin_of(pin, &c.named);
	is_accepted(s, &c.named, conf);
	pin_of(pin, &c.expired);
	is_refused(s, &c.expired, conf, "certificate has expired");
	pin_of(other, &c.good);
	snprintf(both, sizeof both, "%s %s", pin, other);
	conf.pin_sha256 = both;
	is_accepted(s, &c.good, conf);
	conf.ca_file = c.ca.cert_file; /* and in addition to an authority */
	is_accepted(s, &c.good, conf);
	pin_of(other, &c.named);
	snprintf(both, sizeof both, "%s %s", pin, other);
	is_refused(s, &c.named, conf, "IP address mismatch");
}

static void pins_are_read_in_either_form(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"00",
		"zz",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
		"01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"a a a a a a a a a",
	};
	uint8_t pins[SECURE_PINS][32];
	unsigned n;

	(void)state;
	assert_int_equal(secure_pins_parse(pins, &n,
					   " 0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef "
					   "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:"
					   "23:45:67:89:ab:cd:ef"
					   "  ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8="),
			 0);
	assert_int_equal(n, 3);
	assert_memory_equal(pins[0], pins[1], 32);
	assert_memory_equal(pins[0], pins[2], 32);
	assert_int_equal(pins[0][31], 0xef);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!secure_pins_parse(pins, &n, bad[i]))
			fail_msg("\"%s\" is taken", bad[i]);
}

#if OPENSSL_VERSION_NUMBER >= 0x30200000L
/* RFC 7250: keys in place of certificates on both sides. */
static void raw_key_is_known_by_its_pin(void **state)
{
	static const unsigned char raw[] = { TLSEXT_cert_type_rpk };
	struct scene *s = *state;
	char pin[65];
	struct server_conf conf = { .security = SERVER_RPK, .pin_sha256 = pin, .key_file = c.device.key_file };
	struct peer p = { 0 };

	for (int good = 1; good >= 0; good--) {
		pin_of(pin, good ? &c.good : &c.named);
		show(s, &c.good, conf);
		SSL_CTX_set1_server_cert_type(s->peer->ctx, raw, sizeof raw);
		SSL_CTX_set1_client_cert_type(s->peer->ctx, raw, sizeof raw);
		open_peer(&s->f, &p, "meter-17");
		assert_true(wait_for(&s->f, good ? is_up : was_denied, &p));
		if (good) {
			SSL *ssl;

			echo(s, &p, "raw");
			ssl = s->peer->ssl[north_assoc_port(p.assoc)];
			assert_null(SSL_get0_peer_certificate(ssl));
			assert_int_equal(EVP_PKEY_eq(SSL_get0_peer_rpk(ssl), c.device.key), 1);
		} else {
			expect_alarm(s, "its public key is not the pinned one");
		}
		close_peer(&p);
		p = (struct peer){ 0 };
	}
}
#endif

/* ---- our own ---- */

static void certificate_of_the_device_stands_before_that_of_the_server(void **state)
{
	struct scene *s = *state;
	struct server_conf conf = x509();
	struct peer p = { .cert_file = c.device.cert_file, .cert_key_file = c.device.key_file };
	char name[64];
	SSL *ssl;

	conf.cert_file = c.named.cert_file;
	conf.key_file = c.named.key_file;
	for (int own = 1; own >= 0; own--) {
		show(s, &c.good, conf);
		bring_up(s, &p);
		echo(s, &p, "x");
		ssl = s->peer->ssl[north_assoc_port(p.assoc)];
		X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)), NID_commonName, name,
					  sizeof name);
		assert_string_equal(name, own ? "device" : "named");
		close_peer(&p);
		p = (struct peer){ 0 };
	}
}

static void files_of_a_device_are_checked(void **state)
{
	struct scene *s = *state;
	struct peer p = { .cert_file = c.device.cert_file, .cert_key_file = c.named.key_file };
	char why[200];

	assert_int_equal(north_check_pair(c.device.cert_file, c.device.key_file, why, sizeof why), 0);
	assert_int_equal(north_check_pair(c.device.cert_file, c.named.key_file, why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "is not the key of cert_file"));
	assert_int_equal(north_check_pair(c.blank, c.named.key_file, why, sizeof why), -EINVAL);
	assert_int_equal(north_check_pair(c.device.cert_file, NULL, why, sizeof why), -EINVAL);
	show(s, &c.good, x509());
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, has_failed, &p));
	expect_alarm(s, "cert_file and key_file of the device cannot be used");
	assert_int_equal(handshakes(s, SECURE_NO_KEY), 1);
	close_peer(&p);
}

/* ---- alarms ---- */

static void certificate_that_ends_soon_is_an_alarm_until_it_is_renewed(void **state)
{
	struct scene *s = *state;
	struct server_conf conf = x509(), own = x509();
	struct peer p = { 0 };

	show(s, &c.soon, conf);
	bring_up(s, &p);
	expect_alarm(s, "cert.expiring/main: the certificate of the server ends ");
	assert_int_equal(alarms_count(s->f.alarms), 1);
	close_peer(&p);
	is_accepted(s, &c.good, conf);
	assert_int_equal(alarms_count(s->f.alarms), 0);
	own.cert_file = c.soon.cert_file;
	own.key_file = c.soon.key_file;
	show(s, &c.good, own);
	expect_alarm(s, "cert.expiring/main: the certificate in cert_file ends ");
	conf.handshakes_per_s = 1000;
	conf.handshake_timeout_s = 10;
	conf.uri = s->f.uri;
	conf.head.name = "main";
	north_server_set_conf(s->f.server, &conf);
	assert_int_equal(alarms_count(s->f.alarms), 0);
	north_server_set_conf(s->f.server, &s->f.server_conf);
	p = (struct peer){ .cert_file = c.soon.cert_file, .cert_key_file = c.soon.key_file };
	secure_server(s, x509());
	bring_up(s, &p);
	expect_alarm(s, "cert.expiring/meter-17: the certificate of the device ends ");
	close_peer(&p);
	assert_int_equal(alarms_count(s->f.alarms), 0);
}

/* The clock of a box without a battery stands at 1970 after a power cut. */
static void clock_before_the_build_is_a_reason_of_its_own(void **state)
{
	struct scene *s = *state;
	struct peer p = { 0 };

	show(s, &c.good, x509());
	clock_fake(clock_now_ms(), 1000);
	assert_int_equal(north_assoc_open(&p.assoc, s->f.server, "meter-17", 0, &p), 0);
	timers_run(loop_timers(s->f.loop), clock_now_ms() + 10, 0);
	expect_alarm(s, "the clock of this box is before the time at which this program was built");
	assert_int_equal(handshakes(s, SECURE_CLOCK), 1);
	assert_int_equal(p.denied, 0); /* says nothing of the server */
	close_peer(&p);
}

/* ---- a reload ---- */

static void authority_that_is_replaced_lets_in_what_was_refused(void **state)
{
	struct scene *s = *state;
	struct server_conf conf = x509();
	struct peer p = { 0 };

	show(s, &c.stranger, conf);
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, was_denied, &p));
	conf = s->f.server_conf;
	conf.ca_file = c.other_ca.cert_file;
	north_server_set_conf(s->f.server, &conf);
	assert_true(wait_for(&s->f, is_up, &p)); /* without waiting for the back-off */
	echo(s, &p, "now");
	conf.ca_file = c.cut; /* one that is broken leaves the old one in force */
	north_server_set_conf(s->f.server, &s->f.server_conf);
	north_server_set_conf(s->f.server, &conf);
	echo(s, &p, "still");
	assert_int_equal(p.down, 0);
	north_server_set_conf(s->f.server, &s->f.server_conf);
	close_peer(&p);
}

static void session_is_not_resumed_past_a_new_revocation_list(void **state)
{
	struct scene *s = *state;
	struct server_conf conf = x509();
	struct peer p = { 0 };

	show(s, &c.gone, conf);
	bring_up(s, &p);
	echo(s, &p, "x");
	assert_true(p.resume_len > 0);
	conf = s->f.server_conf;
	conf.crl_file = c.crl;
	north_server_set_conf(s->f.server, &conf);
	peer_close_notify(s->peer, north_assoc_port(p.assoc));
	assert_true(wait_for(&s->f, has_ended, &p));
	(void)north_assoc_send(p.assoc, (const uint8_t *)"x", 1);
	assert_true(wait_for(&s->f, was_denied, &p));
	expect_alarm(s, "certificate revoked");
	north_server_set_conf(s->f.server, &s->f.server_conf);
	close_peer(&p);
}

/* ---- files that cannot be used: S33 ---- */

static void expect_fault(const struct server_conf *conf, const char *key, const char *text)
{
	static const uint8_t no_key[32];
	const struct server_uri uri = { .scheme = "coaps", .host = "lwm2m.example" };
	struct secure_fault f;
	struct secure_ctx *ctx;

	if (!secure_ctx_new(&ctx, conf, &uri, false, no_key, &f))
		fail_msg("no fault of %s: %s", key, text);
	assert_string_equal(f.key, key);
	if (!strstr(f.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, f.text);
}

static void S33_files_that_say_nothing_are_faults(void **state)
{
	static const struct {
		const char *file, *text;
	} bad[] = {
		{ "/nonexistent", "No such file" },       { c.dir, "is not a regular file" },
		{ c.blank, "holds no certificate" },      { c.cut, "certificate 2 in" },
		{ "/dev/null", "is not a regular file" },
	};
	struct server_conf conf;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		conf = (struct server_conf){ .security = SERVER_X509, .ca_file = bad[i].file };
		expect_fault(&conf, "ca_file", bad[i].text);
	}
	conf = x509();
	conf.crl_file = c.blank;
	expect_fault(&conf, "crl_file", "holds no revocation list");
	conf.crl_file = c.ca.cert_file;
	expect_fault(&conf, "crl_file", "holds no revocation list");
	conf = (struct server_conf){ .security = SERVER_X509, .ca_dir = c.dir };
	expect_fault(&conf, "ca_dir", "holds no certificate under a hashed name");
	conf.ca_dir = c.two;
	expect_fault(&conf, "ca_dir", "Not a directory");
	conf = (struct server_conf){ .security = SERVER_X509 };
	expect_fault(&conf, "security", "needs ca_file, ca_dir or pin_sha256");
	conf.pin_sha256 = "00";
	expect_fault(&conf, "pin_sha256", "not 1 to 8 SHA-256 values");
	conf = (struct server_conf){ .security = SERVER_X509, .crl_file = c.crl };
	conf.pin_sha256 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	expect_fault(&conf, "crl_file", "there is neither");
	conf = x509();
	conf.cert_file = c.good.cert_file;
	expect_fault(&conf, "cert_file", "key_file is missing");
	conf.key_file = c.blank;
	expect_fault(&conf, "key_file", "no private key");
	conf.key_file = c.named.key_file;
	expect_fault(&conf, "key_file", "is not the key of cert_file");
	conf.cert_file = NULL;
	expect_fault(&conf, "key_file", "cert_file is missing");
	conf = (struct server_conf){ .security = SERVER_PSK, .ca_file = c.ca.cert_file };
	expect_fault(&conf, "ca_file", "is for security x509");
#if OPENSSL_VERSION_NUMBER < 0x30200000L
	conf = (struct server_conf){ .security = SERVER_RPK };
	expect_fault(&conf, "security", "rpk needs OpenSSL >= 3.2");
#endif
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up_dtls, tear_down_dtls)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(coap_54_right_name_is_accepted_and_another_refused),
		T(coap_54_certificate_out_of_date_is_refused),
		T(certificate_of_another_authority_is_refused),
		T(directory_of_authorities_is_looked_up_by_hash),
		T(revoked_certificate_is_refused),
		T(S47_weak_signature_is_refused),
		T(S47_what_is_old_is_refused),
		T(S47_renegotiation_is_refused),
		T(pinned_key_stands_for_authority_and_name),
		cmocka_unit_test(pins_are_read_in_either_form),
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
		T(raw_key_is_known_by_its_pin),
#endif
		T(certificate_of_the_device_stands_before_that_of_the_server),
		T(files_of_a_device_are_checked),
		T(certificate_that_ends_soon_is_an_alarm_until_it_is_renewed),
		T(authority_that_is_replaced_lets_in_what_was_refused),
		T(session_is_not_resumed_past_a_new_revocation_list),
		cmocka_unit_test(S33_files_that_say_nothing_are_faults),
		T(clock_before_the_build_is_a_reason_of_its_own), /* the last: the clock stands still from there on */
	};

	return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
