/* SPDX-License-Identifier: Apache-2.0 */
/* respond.c - answers on the wire
 *
 * An answer is put together in one buffer of the server and written at once, past the bufferevent, as long as nothing
 * waits in there: on the usual path that saves two changes of the poll set and one pass of the loop per request. What
 * the socket does not take goes through the bufferevent.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/octets.h"
#include "http/internal.h"

enum {
	SCRATCH_MOST = 1 << 16, /* longer answers are not gathered */
	FIXED_LINES = 256,      /* room for what we add to an answer: status, Date, Connection, Content-Length */
};

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

static const char *reason_of(int status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

void http_date(char *out, uint64_t wall_s)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)wall_s;
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(out, 30, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100,
		 months + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
		 (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static const char *date_now(struct http_server *s)
{
	uint64_t now_s = clock_wall_ms() / 1000;

	if (now_s != s->date_s || !s->date[0]) {
		http_date(s->date, now_s);
		s->date_s = now_s;
	}
	return s->date;
}

static void put(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text));
}

/* A value with a control octet would break out of its line. */
static bool is_line(const char *v)
{
	for (; *v; v++)
		if ((unsigned char)*v < ' ' || *v == 127)
			return false;
	return true;
}

static void put_line(struct writer *w, const char *name, const char *value)
{
	if (!is_line(name) || !is_line(value))
		return;
	put(w, name);
	put(w, ": ");
	put(w, value);
	put(w, "\r\n");
}

static void put_number(struct writer *w, const char *before, size_t n, const char *after)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%zu", n);
	put(w, before);
	put(w, digits);
	put(w, after);
}

/* What the socket takes now, without the bufferevent: octets, 0 for none, or a negative errno. */
static long write_now(struct conn *c, const void *data, size_t len)
{
	ssize_t n;

	if (evbuffer_get_length(bufferevent_get_output(c->bev)) || c->state == CONN_HANDSHAKE)
		return 0;
	if (!c->ssl) {
		n = send(c->fd, data, len, MSG_NOSIGNAL);
		return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	ERR_clear_error();
	n = SSL_write(c->ssl, data, (int)len);
	if (n > 0)
		return n;
	switch (SSL_get_error(c->ssl, (int)n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0; /* the bufferevent offers the same octets again */
	default:
		return -EPIPE;
	}
}

int conn_send(struct conn *c, const void *data, size_t len)
{
	long n = len <= SCRATCH_MOST ? write_now(c, data, len) : 0;

	if (n < 0)
		return (int)n;
	if ((size_t)n == len)
		return 0;
	return bufferevent_write(c->bev, (const char *)data + n, len - (size_t)n) ? -ENOMEM : 0;
}

static char *scratch_of(struct http_server *s, size_t need)
{
	char *b;

	if (need <= s->scratch_size)
		return s->scratch;
	b = realloc(s->scratch, need);
	if (!b)
		return NULL;
	s->scratch = b;
	s->scratch_size = need;
	return b;
}

static bool has_content(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

int conn_write(struct conn *c, int status, const struct http_header *headers, size_t headers_n,
	       const char *content_type, const void *body, size_t len, bool keep)
{
	bool whole = has_content(status) && c->h1.method != HTTP_HEAD && len;
	bool gather = len <= SCRATCH_MOST / 2;
	size_t need = FIXED_LINES + (content_type ? strlen(content_type) + 20 : 0) + (gather ? len : 0);
	struct writer w;
	char *buf;
	int err;

	for (size_t i = 0; i < headers_n; i++)
		need += strlen(headers[i].name) + strlen(headers[i].value) + 4;
	buf = scratch_of(c->server, need);
	if (!buf)
		return -ENOMEM;
	w = writer_of(buf, need);
	put_number(&w, "HTTP/1.1 ", (size_t)status, " ");
	put(&w, reason_of(status));
	put(&w, "\r\nDate: ");
	put(&w, date_now(c->server));
	put(&w, "\r\n");
	if (has_content(status))
		put_number(&w, "Content-Length: ", len, "\r\n");
	if (content_type && has_content(status))
		put_line(&w, "Content-Type", content_type);
	for (size_t i = 0; i < headers_n; i++)
		put_line(&w, headers[i].name, headers[i].value);
	if (!keep)
		put(&w, "Connection: close\r\n");
	else if (c->h1.v10)
		put(&w, "Connection: keep-alive\r\n");
	put(&w, "\r\n");
	if (whole && gather)
		write_bytes(&w, body, len);
	err = w.failed ? -ENOMEM : conn_send(c, buf, writer_len(&w));
	if (!err && whole && !gather)
		err = conn_send(c, body, len);
	return err;
}
