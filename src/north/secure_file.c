/* SPDX-License-Identifier: Apache-2.0 */
/* secure_file.c - certificates, revocation lists, keys and pins as they stand in files and texts
 *
 * The readers of OpenSSL are content with the first half of a file and call a directory an empty one. Here a file is
 * taken as a whole or not at all, so that an authority or a revocation that was cut off is never quietly missing.
 */
#include "north/secure.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/secret.h"

void secure_reason(char *buf, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

	if (text)
		snprintf(buf, size, "%s", text);
	else
		snprintf(buf, size, code ? "error %lx" : "no reason given", code);
	ERR_clear_error();
}

/* ---- PEM ---- */

static BIO *open_file(const char *file, char *why, size_t size)
{
	struct stat st;
	BIO *in;

	if (stat(file, &st))
		snprintf(why, size, "%s: %s", file, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(why, size, "%s is not a regular file", file);
	else if (!st.st_size)
		snprintf(why, size, "%s is empty", file);
	else if ((in = BIO_new_file(file, "r")))
		return in;
	else
		snprintf(why, size, "%s: %s", file, strerror(errno));
	ERR_clear_error();
	return NULL;
}

/* One more into the store: 1, 0 at the end, -1 for a damaged one. */
static int load_one(X509_STORE *store, BIO *in, bool revoked)
{
	X509_CRL *crl = revoked ? PEM_read_bio_X509_CRL(in, NULL, NULL, NULL) : NULL;
	X509 *cert = revoked ? NULL : PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);
	int ok = crl ? X509_STORE_add_crl(store, crl) : cert ? X509_STORE_add_cert(store, cert) : -1;

	X509_CRL_free(crl);
	X509_free(cert);
	if (ok < 0)
		return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 0 : -1;
	return ok ? 1 : -1;
}

int secure_load_certs(X509_STORE *store, const char *file, bool revoked, char *why, size_t size)
{
	const char *what = revoked ? "revocation list" : "certificate";
	BIO *in = open_file(file, why, size);
	unsigned n = 0;
	int more;

	if (!in)
		return -EINVAL;
	ERR_clear_error();
	while ((more = load_one(store, in, revoked)) > 0)
		n++;
	BIO_free(in);
	if (more == 0 && n) {
		ERR_clear_error();
		return 0;
	}
	if (more == 0)
		snprintf(why, size, "%s holds no %s in PEM form", file, what);
	else
		snprintf(why, size, "%s %u in %s is damaged", what, n + 1, file);
	ERR_clear_error();
	return -EINVAL;
}

/* "5ed36f99.0": what openssl rehash makes. */
static bool is_hashed_name(const char *name)
{
	size_t i = 0;

	while (isxdigit((unsigned char)name[i]))
		i++;
	return i == 8 && name[8] == '.' && isdigit((unsigned char)name[9]);
}

int secure_check_dir(const char *dir, char *why, size_t size)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	if (!d) {
		snprintf(why, size, "%s: %s", dir, strerror(errno));
		return -EINVAL;
	}
	while ((e = readdir(d)) && !is_hashed_name(e->d_name))
		;
	closedir(d);
	if (e)
		return 0;
	snprintf(why, size, "%s holds no certificate under a hashed name; openssl rehash makes them", dir);
	return -EINVAL;
}

/* ---- keys ---- */

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Octets, at most `most`; -EBADMSG. */
static int hex_decode(uint8_t *out, size_t most, const char *text, size_t len)
{
	if (!len || len % 2 || len / 2 > most)
		return -EBADMSG;
	for (size_t i = 0; i < len / 2; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return (int)(len / 2);
}

int secure_read_psk(uint8_t key[NORTH_PSK_MAX], const char *file, char *why, size_t size)
{
	char line[2 * NORTH_PSK_MAX + 1];
	long len = secret_read(file, line, sizeof line);
	int n = len < 0 ? -EBADMSG : hex_decode(key, NORTH_PSK_MAX, line, (size_t)len);

	secret_wipe(line, sizeof line);
	if (n > 0)
		return n;
	secret_wipe(key, NORTH_PSK_MAX);
	if (len < 0 && len != -EBADMSG && len != -EMSGSIZE)
		snprintf(why, size, "%s: %s", file, strerror((int)-len));
	else
		snprintf(why, size, "%s does not hold one line of 1 to %d octets in hexadecimal", file, NORTH_PSK_MAX);
	return -EINVAL;
}

/* ---- fingerprints and pins ---- */

void secure_digest_file(EVP_MD_CTX *md, const char *file)
{
	FILE *f = file ? fopen(file, "re") : NULL;
	uint8_t buf[4096];
	size_t n;

	while (f && (n = fread(buf, 1, sizeof buf, f)) > 0)
		EVP_DigestUpdate(md, buf, n);
	if (f)
		fclose(f);
	EVP_DigestUpdate(md, "", 1); /* so that two files are not one longer file */
}

/* 64 hexadecimal digits, pairs with or without colons between them, or 44 characters of base64. */
static int pin_parse(uint8_t pin[32], const char *text, size_t len)
{
	char hex[65];
	size_t n = 0;

	if (len == BASE64_LEN(32))
		return base64_decode(pin, 32, text, len) == 32 ? 0 : -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == ':' && n && n % 2 == 0 && i + 1 < len)
			continue;
		if (n == 64)
			return -EBADMSG;
		hex[n++] = text[i];
	}
	return hex_decode(pin, 32, hex, n) == 32 ? 0 : -EBADMSG;
}

int secure_pins_parse(uint8_t pins[SECURE_PINS][32], unsigned *n, const char *text)
{
	*n = 0;
	while (*(text += strspn(text, " \t"))) {
		size_t len = strcspn(text, " \t");

		if (*n == SECURE_PINS || pin_parse(pins[*n], text, len))
			return -EBADMSG;
		++*n;
		text += len;
	}
	return *n ? 0 : -EBADMSG;
}
