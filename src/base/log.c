/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - the writer of log lines
 *
 * A line is built in one buffer on the stack and leaves with one write(2), so lines of the daemon and of its children
 * never mix. A field that does not fit any more is left out as a whole and the line says cut=true: what stands in a
 * line is always complete and a JSON line is always sound.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum {
	LINE_MOST = 2048,
	VALUE_MOST = 256, /* octets of one value before escaping */
	HEX_MOST = VALUE_MOST / 2,
	TAIL = 16, /* kept free for the mark of a cut line, the brace and the line end */
};

const char *const log_level_names[LOG_LEVEL_COUNT + 1] = { "error", "warning", "notice", "info", "debug", NULL };
static const char priorities[LOG_LEVEL_COUNT] = { '3', '4', '5', '6', '7' }; /* of syslog */

/* The sink: the one piece of state at file scope. */
static struct {
	enum log_level level;
	enum log_format format;
	bool journal;
	log_watch_fn *watch;
	void *watch_arg;
} sink = { LOG_INFO, LOG_TEXT, false, NULL, NULL };

struct line {
	char buf[LINE_MOST];
	size_t len, most;
	bool json, full;
};

static void put(struct line *l, const char *data, size_t n)
{
	if (l->full || n > l->most - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->buf + l->len, data, n);
	l->len += n;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

static bool is_token(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] <= 0x20 || p[i] >= 0x7f || p[i] == '"' || p[i] == '\\' || p[i] == '=')
			return false;
	return n > 0;
}

static void put_escaped(struct line *l, uint8_t c)
{
	char e[8];

	snprintf(e, sizeof e, l->json ? "\\u%04x" : "\\x%02x", c);
	put_text(l, e);
}

/* Text of anybody. */
static void put_value(struct line *l, const uint8_t *p, size_t len)
{
	size_t at = 0, n;

	if (!l->json && len <= VALUE_MOST && is_token(p, len)) {
		put(l, (const char *)p, len);
		return;
	}
	put(l, "\"", 1);
	for (; at < len; at += n) {
		size_t good = text_printable(p + at, len - at);

		n = good ? good : 1;
		if (at + n > VALUE_MOST) {
			put(l, "...", 3);
			break;
		}
		if (!good) {
			put_escaped(l, p[at]);
			continue;
		}
		if (p[at] == '"' || p[at] == '\\')
			put(l, "\\", 1);
		put(l, (const char *)p + at, n);
	}
	put(l, "\"", 1);
}

static void put_hex(struct line *l, const uint8_t *p, size_t len)
{
	const char *quote = l->json || !len ? "\"" : "";
	char two[3];

	put_text(l, quote);
	for (size_t i = 0; i < len && i < HEX_MOST; i++) {
		snprintf(two, sizeof two, "%02x", p[i]);
		put(l, two, 2);
	}
	if (len > HEX_MOST)
		put(l, "...", 3);
	put_text(l, quote);
}

static void put_number(struct line *l, const struct log_field *f)
{
	const unsigned code = (unsigned)f->v.u & 0xff;
	char n[32];

	if (f->kind == LOG_K_UINT)
		snprintf(n, sizeof n, "%" PRIu64, f->v.u);
	else if (f->kind == LOG_K_INT)
		snprintf(n, sizeof n, "%" PRId64, f->v.i);
	else if (f->kind == LOG_K_BOOL)
		snprintf(n, sizeof n, "%s", f->v.u ? "true" : "false");
	else
		snprintf(n, sizeof n, l->json ? "\"%u.%02u\"" : "%u.%02u", code >> 5, code & 31);
	put_text(l, n);
}

static void put_key(struct line *l, const char *key)
{
	if (l->json) {
		put_text(l, l->buf[l->len - 1] == '{' ? "\"" : ",\"");
		put_text(l, key);
		put(l, "\":", 2);
		return;
	}
	if (l->len && l->buf[l->len - 1] != '>')
		put(l, " ", 1);
	put_text(l, key);
	put(l, "=", 1);
}

static void put_word(struct line *l, const char *key, const char *word)
{
	put_key(l, key);
	put_value(l, (const uint8_t *)word, strlen(word));
}

/* The field as a whole, or nothing of it. */
static void put_field(struct line *l, const struct log_field *f)
{
	const size_t before = l->len;

	if (l->full || (!f->v.p && f->kind == LOG_K_STR))
		return;
	put_key(l, f->key);
	switch (f->kind) {
	case LOG_K_STR:
		put_value(l, f->v.p, strlen(f->v.p));
		break;
	case LOG_K_BYTES:
		put_value(l, f->v.p, f->len);
		break;
	case LOG_K_HEX:
		put_hex(l, f->v.p, f->len);
		break;
	default:
		put_number(l, f);
		break;
	}
	if (l->full)
		l->len = before;
}

static void begin(struct line *l, enum log_level level)
{
	char time[32];

	if (sink.journal) {
		const char prefix[3] = { '<', priorities[level], '>' };

		put(l, prefix, sizeof prefix);
	}
	if (l->json)
		put(l, "{", 1);
	if (l->json || !sink.journal) {
		clock_format(time, sizeof time, clock_wall_ms());
		if (l->json)
			put_word(l, "ts", time);
		else
			put_text(l, time);
	}
}

static void end(struct line *l)
{
	l->most = LINE_MOST;
	if (l->full) {
		l->full = false;
		put_text(l, l->json ? ",\"cut\":true" : " cut=true");
	}
	put_text(l, l->json ? "}\n" : "\n");
}

static bool is_device(const struct log_field *f)
{
	return !strcmp(f->key, "dev");
}

static void tell_watch(enum log_level level, const char *room, const char *ev, const struct log_field *fields)
{
	struct line l;

	l.buf[0] = '{'; /* so that the first key gets no comma */
	l.len = 1;
	l.most = LOG_MEMBERS_MOST;
	l.json = true;
	for (const struct log_field *f = fields; f->key; f++) {
		l.full = false;
		put_field(&l, f);
	}
	sink.watch(sink.watch_arg, level, room, ev, l.buf + 1, l.len - 1);
}

static void write_line(enum log_level level, const char *room, const char *ev, const struct log_field *fields)
{
	struct line l;
	ssize_t n;

	l.len = 0;
	l.most = LINE_MOST - TAIL;
	l.json = sink.format == LOG_JSON;
	l.full = false;
	begin(&l, level);
	put_word(&l, "level", log_level_names[level]);
	put_word(&l, "room", room);
	for (const struct log_field *f = fields; f->key; f++)
		if (is_device(f))
			put_field(&l, f);
	put_word(&l, "ev", ev);
	for (const struct log_field *f = fields; f->key; f++)
		if (!is_device(f))
			put_field(&l, f);
	end(&l);
	n = write(STDERR_FILENO, l.buf, l.len); /* nobody to tell when this fails */
	(void)n;
}

void log_fields(enum log_level level, const char *room, const char *ev, const struct log_field *fields)
{
	const int saved = errno;
	const enum log_level written = level == LOG_NOTE ? LOG_DEBUG : level;

	if (sink.watch && level != LOG_DEBUG)
		tell_watch(written, room, ev, fields);
	if (written <= sink.level)
		write_line(written, room, ev, fields);
	errno = saved;
}

bool log_on(enum log_level level)
{
	return level <= sink.level || (sink.watch && level < LOG_DEBUG);
}

bool log_notes(void)
{
	return sink.watch || sink.level >= LOG_DEBUG;
}

void log_watch(log_watch_fn *fn, void *arg)
{
	sink.watch = fn;
	sink.watch_arg = arg;
}

void log_set(enum log_level level, enum log_format format)
{
	sink.level = level;
	sink.format = format;
}

enum log_level log_level(void)
{
	return sink.level;
}

void log_set_level(enum log_level level)
{
	sink.level = level;
}

/* Were descriptors 0 to 2 free, the next socket would take one and get our lines. */
static void hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void log_open(void)
{
	const char *journal = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;
	int used = 0;

	hold_standard_descriptors();
	signal(SIGPIPE, SIG_IGN); /* a log reader that went away must not end the daemon */
	sink.journal = journal && sscanf(journal, "%ju:%ju%n", &dev, &ino, &used) == 2 && !journal[used] &&
		!fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

bool log_limit(struct log_limit *l, uint64_t now_ms, uint64_t interval_ms, uint64_t *suppressed)
{
	if (l->used && now_ms - l->last_ms < interval_ms) {
		l->held++;
		return false;
	}
	*suppressed = l->held;
	*l = (struct log_limit){ .last_ms = now_ms, .used = true };
	return true;
}
