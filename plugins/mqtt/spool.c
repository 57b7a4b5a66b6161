/* SPDX-License-Identifier: Apache-2.0 */
/* spool.c - messages that wait on disk while the broker is away
 *
 * Segments of a 16th of the room each, named by a number that rises: written at the end of the last, read from the
 * start of the first, and dropped whole. A record that is cut or damaged ends its segment.
 */
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENTS = 16, SEGMENT_LEAST = 64 << 10, TOPIC_MAX = 1024, PAYLOAD_MAX = 256 << 10 };
static const uint32_t MAGIC = 0x6e67714d;

struct head {
	uint32_t magic, topic_len, payload_len, retain, sum;
};

struct spool {
	char *dir;
	uint64_t max, segment_max;
	uint64_t first, last; /* numbers of segments; first > last: there is none */
	uint64_t bytes;       /* of all files */
	int out, in;          /* -1: not open */
	uint64_t out_size, in_at;
	struct head at; /* of the record that was peeked at; magic 0: none */
	char *buf;      /* owned: topic, NUL, payload */
	size_t buf_size;
};

static char *path_of(const struct spool *s, uint64_t number, char buf[512])
{
	return snprintf(buf, 512, "%s/%016llx.spool", s->dir, (unsigned long long)number) < 512 ? buf : NULL;
}

static uint64_t size_of(const struct spool *s, uint64_t number)
{
	char path[512];
	struct stat st;

	return path_of(s, number, path) && !stat(path, &st) ? (uint64_t)st.st_size : 0;
}

/* FNV-1a: it tells a record from what a power cut left, no more. */
static uint32_t sum_of(uint32_t sum, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * 16777619u;
	return sum;
}

static uint32_t record_sum(const struct head *h, const void *topic, const void *payload)
{
	uint32_t sum = 2166136261u;

	sum = sum_of(sum, &h->topic_len, sizeof h->topic_len);
	sum = sum_of(sum, &h->payload_len, sizeof h->payload_len);
	sum = sum_of(sum, &h->retain, sizeof h->retain);
	sum = sum_of(sum, topic, h->topic_len);
	return sum_of(sum, payload, h->payload_len);
}

/* ---- segments ---- */

static int scan(struct spool *s)
{
	DIR *d = opendir(s->dir);
	struct dirent *e;
	bool any = false;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		unsigned long long n;
		int used = 0;

		if (sscanf(e->d_name, "%16llx.spool%n", &n, &used) != 1 || used != (int)strlen(e->d_name))
			continue;
		if (!any || n < s->first)
			s->first = n;
		if (!any || n > s->last)
			s->last = n;
		any = true;
		s->bytes += size_of(s, n);
	}
	closedir(d);
	return 0;
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool is_empty(const struct spool *s)
{
	return s->first > s->last;
}

static void remove_first(struct spool *s)
{
	char path[512];
	uint64_t size = size_of(s, s->first);

	close_file(&s->in);
	if (s->first == s->last)
		close_file(&s->out);
	if (path_of(s, s->first, path))
		(void)unlink(path);
	s->bytes -= size < s->bytes ? size : s->bytes;
	s->first++;
	s->in_at = 0;
	s->at.magic = 0;
}

static int open_in(struct spool *s)
{
	char path[512];

	if (s->in >= 0)
		return 0;
	if (!path_of(s, s->first, path))
		return -ENAMETOOLONG;
	s->in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return s->in >= 0 ? 0 : -errno;
}

static int open_out(struct spool *s)
{
	char path[512];

	if (s->out >= 0 && s->out_size < s->segment_max)
		return 0;
	close_file(&s->out);
	if (!path_of(s, s->last + 1, path))
		return -ENAMETOOLONG;
	s->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->out < 0)
		return -errno;
	s->last++;
	s->out_size = 0;
	return 0;
}

/* ---- reading ---- */

static int room_for(struct spool *s, size_t size)
{
	char *more;

	if (size <= s->buf_size)
		return 0;
	more = realloc(s->buf, size);
	if (!more)
		return -ENOMEM;
	s->buf = more;
	s->buf_size = size;
	return 0;
}

/* 0; -ENODATA: the segment ends here, or what follows is no record. */
static int read_record(struct spool *s)
{
	struct head h;
	int err = open_in(s);

	if (err)
		return err == -ENOENT ? -ENODATA : err;
	if (pread(s->in, &h, sizeof h, (off_t)s->in_at) != sizeof h || h.magic != MAGIC || h.topic_len > TOPIC_MAX ||
	    h.payload_len > PAYLOAD_MAX)
		return -ENODATA;
	err = room_for(s, (size_t)h.topic_len + 1 + h.payload_len);
	if (err)
		return err;
	if (pread(s->in, s->buf, h.topic_len, (off_t)(s->in_at + sizeof h)) != (ssize_t)h.topic_len ||
	    pread(s->in, s->buf + h.topic_len + 1, h.payload_len, (off_t)(s->in_at + sizeof h + h.topic_len)) !=
		    (ssize_t)h.payload_len ||
	    record_sum(&h, s->buf, s->buf + h.topic_len + 1) != h.sum)
		return -ENODATA;
	s->buf[h.topic_len] = 0;
	s->at = h;
	return 0;
}

int spool_peek(struct spool *s, struct spool_message *m)
{
	int err = 0;

	while (!is_empty(s)) {
		err = s->at.magic ? 0 : read_record(s);
		if (err != -ENODATA)
			break;
		remove_first(s);
	}
	if (is_empty(s))
		return -ENOENT;
	if (err)
		return err;
	*m = (struct spool_message){ s->buf, s->buf + s->at.topic_len + 1, s->at.payload_len, s->at.retain };
	return 0;
}

void spool_drop(struct spool *s)
{
	if (!s->at.magic)
		return;
	s->in_at += sizeof s->at + s->at.topic_len + s->at.payload_len;
	s->at.magic = 0;
	if (s->first == s->last && s->in_at >= s->out_size && s->out >= 0)
		remove_first(s);
}

/* ---- writing ---- */

/* Drops the oldest segment; how many in it had not been read. */
static uint64_t drop_oldest(struct spool *s)
{
	struct spool_message m;
	uint64_t first = s->first, n = 0;

	while (!is_empty(s) && s->first == first && !spool_peek(s, &m) && s->first == first) {
		n++;
		spool_drop(s);
	}
	if (!is_empty(s) && s->first == first)
		remove_first(s);
	return n;
}

int spool_put(struct spool *s, const struct spool_message *m, uint64_t *dropped)
{
	struct head h = { MAGIC, (uint32_t)strlen(m->topic), (uint32_t)m->len, m->retain, 0 };
	size_t size = sizeof h + h.topic_len + m->len;
	ssize_t n;
	char *all;
	int err;

	*dropped = 0;
	if (h.topic_len > TOPIC_MAX || m->len > PAYLOAD_MAX || size > s->max)
		return -EMSGSIZE;
	while (s->bytes + size > s->max && !is_empty(s))
		*dropped += drop_oldest(s);
	err = open_out(s);
	if (err)
		return err;
	h.sum = record_sum(&h, m->topic, m->payload);
	all = malloc(size);
	if (!all)
		return -ENOMEM;
	memcpy(all, &h, sizeof h);
	memcpy(all + sizeof h, m->topic, h.topic_len);
	if (m->len)
		memcpy(all + sizeof h + h.topic_len, m->payload, m->len);
	n = pwrite(s->out, all, size, (off_t)s->out_size);
	err = n == (ssize_t)size ? 0 : n < 0 ? -errno : -ENOSPC;
	free(all);
	if (err) { /* what was written of it is no record */
		(void)!ftruncate(s->out, (off_t)s->out_size);
		return err;
	}
	s->out_size += size;
	s->bytes += size;
	return 0;
}

uint64_t spool_bytes(const struct spool *s)
{
	return s->bytes;
}

/* ---- open and close ---- */

int spool_open(struct spool **out, const char *dir, uint64_t max_bytes)
{
	struct spool *s = calloc(1, sizeof *s);
	int err;

	if (!s)
		return -ENOMEM;
	s->in = s->out = -1;
	s->first = 1;
	s->max = max_bytes;
	s->segment_max = max_bytes / SEGMENTS < SEGMENT_LEAST ? SEGMENT_LEAST : max_bytes / SEGMENTS;
	s->dir = strdup(dir);
	err = s->dir ? scan(s) : -ENOMEM;
	if (err) {
		spool_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	close_file(&s->in);
	close_file(&s->out);
	free(s->buf);
	free(s->dir);
	free(s);
}
