/* SPDX-License-Identifier: Apache-2.0 */
/* registry_table.c - the compiled table of definitions: written when the program is built, read when it starts
 *
 * Big endian throughout, so that it is the same file on every machine:
 *
 *   "NIDDOBJ" 1  objects (u32)  resources (u32)  FNV-1a of all that follows (u64)
 *   objects:    id version flags resources (u16 each), name (u32)
 *   resources:  id (u16) type flags (u8 each), name units (u32 each), in the order of their objects
 *   texts:      each with a NUL; the numbers above are offsets into them, 0 is the empty text
 *
 * Everything in a table is checked before it is taken: a damaged one is refused whole. Text that is met again, as most
 * units and many names are, is written once.
 */
#include "lwm2m/registry_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/octets.h"
#include "base/text.h"

static const uint8_t magic[8] = "NIDDOBJ\1";
enum { HEAD = 24, OBJECT = 12, RESOURCE = 12 };
#define TABLE_MOST (16u << 20)

static uint64_t fnv(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

static uint64_t read_u64(struct reader *r)
{
	const uint64_t high = read_u32(r);

	return high << 32 | read_u32(r);
}

static void write_u64(struct writer *w, uint64_t v)
{
	write_u32(w, (uint32_t)(v >> 32));
	write_u32(w, (uint32_t)v);
}

/* ---- reading ---- */

struct table {
	struct lwm2m_registry *r;
	struct reader objects, resources;
	const char *texts;
	size_t texts_len;
	bool bad;
};

/* A text of the table; NULL for the empty one. */
static const char *text_at(struct table *t, uint32_t at, size_t most)
{
	size_t len;

	if (!at)
		return NULL;
	if (at >= t->texts_len) {
		t->bad = true;
		return NULL;
	}
	len = strlen(t->texts + at); /* the last octet of all is a NUL */
	if (!len || len > most || !text_is_printable(t->texts + at, len))
		t->bad = true;
	return t->texts + at;
}

static void read_resource(struct table *t, struct registry_resource *res)
{
	struct reader *r = &t->resources;

	res->id = read_u16(r);
	res->type = read_u8(r);
	res->flags = read_u8(r);
	res->name = text_at(t, read_u32(r), REGISTRY_NAME_MAX);
	res->units = text_at(t, read_u32(r), REGISTRY_UNITS_MAX);
	if (res->type >= LWM2M_VALUE_COUNT || res->flags & ~(REGISTRY_MULTIPLE | REGISTRY_SECRET) || !res->name)
		t->bad = true;
}

static int read_object(struct table *t)
{
	struct registry_object o = { 0 };
	struct registry_resource *v;

	o.id = read_u16(&t->objects);
	o.version = read_u16(&t->objects);
	o.flags = (uint8_t)read_u16(&t->objects);
	o.n = read_u16(&t->objects);
	o.name = text_at(t, read_u32(&t->objects), REGISTRY_NAME_MAX);
	if (!o.name || !o.version || o.n > REGISTRY_RESOURCES_MAX ||
	    o.n * (size_t)RESOURCE > reader_left(&t->resources))
		return -EBADMSG;
	v = registry_alloc(t->r, o.n * sizeof *v);
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < o.n; i++) {
		read_resource(t, &v[i]);
		if (i && v[i - 1].id >= v[i].id)
			t->bad = true;
	}
	o.v = v;
	o.flags &= REGISTRY_MULTIPLE | REGISTRY_SECRET;
	return t->bad ? -EBADMSG : registry_put(t->r, &o);
}

static int read_body(struct lwm2m_registry *r, struct reader *body, uint32_t objects, uint32_t resources)
{
	const size_t objects_len = (size_t)objects * OBJECT, resources_len = (size_t)resources * RESOURCE;
	const uint8_t *o = read_span(body, objects_len), *v = read_span(body, resources_len);
	struct table t = { .r = r };
	char *texts;
	int err = 0;

	if (body->failed)
		return -EBADMSG;
	t.objects = reader_of(o, objects_len);
	t.resources = reader_of(v, resources_len);
	t.texts_len = reader_left(body);
	if (!t.texts_len || body->end[-1])
		return -EBADMSG;
	texts = registry_alloc(r, t.texts_len);
	if (!texts)
		return -ENOMEM;
	memcpy(texts, body->p, t.texts_len);
	t.texts = texts;
	for (uint32_t i = 0; !err && i < objects; i++)
		err = read_object(&t);
	if (!err && (reader_left(&t.resources) || r->n != objects))
		err = -EBADMSG; /* a version twice, or resources of nobody */
	return err;
}

/* Checks the head and makes a registry of what follows. */
static int read_table(struct lwm2m_registry *r, const uint8_t *table, size_t len)
{
	struct reader in = reader_of(table, len);
	const uint8_t *is = read_span(&in, sizeof magic);
	uint32_t objects, resources;
	uint64_t sum;

	if (!is || memcmp(is, magic, sizeof magic))
		return -EBADMSG;
	objects = read_u32(&in);
	resources = read_u32(&in);
	sum = read_u64(&in);
	if (in.failed || objects > REGISTRY_OBJECTS_MAX || resources > TABLE_MOST / RESOURCE ||
	    fnv(in.p, reader_left(&in)) != sum)
		return -EBADMSG;
	return read_body(r, &in, objects, resources);
}

int lwm2m_registry_load(struct lwm2m_registry *r, const uint8_t *table, size_t len)
{
	struct lwm2m_registry *fresh, old;
	int err;

	if (len > TABLE_MOST)
		return -EMSGSIZE;
	err = lwm2m_registry_new(&fresh);
	if (err)
		return err;
	err = read_table(fresh, table, len);
	if (!err) {
		old = *r;
		*r = *fresh;
		*fresh = old;
	}
	lwm2m_registry_free(fresh);
	return err;
}

/* The whole of an open file; the size was asked before, and one that changes meanwhile is refused. */
static int read_all(int fd, uint8_t *buf, size_t len)
{
	size_t at = 0;
	ssize_t n;

	while (at < len) {
		n = read(fd, buf + at, len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		at += (size_t)n;
	}
	return 0;
}

static int read_fd(struct lwm2m_registry *r, int fd)
{
	struct stat st;
	uint8_t *buf;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < HEAD)
		return -EBADMSG;
	if (st.st_size > TABLE_MOST)
		return -EMSGSIZE;
	buf = malloc((size_t)st.st_size);
	if (!buf)
		return -ENOMEM;
	err = read_all(fd, buf, (size_t)st.st_size);
	if (!err)
		err = lwm2m_registry_load(r, buf, (size_t)st.st_size);
	free(buf);
	return err;
}

int lwm2m_registry_read(struct lwm2m_registry *r, const char *file)
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = read_fd(r, fd);
	close(fd);
	return err;
}

/* ---- writing ---- */

struct save {
	struct writer objects, resources, texts;
	uint32_t *seen; /* offsets of texts by their hash; 0: free */
	size_t mask;
};

static uint32_t put_text(struct save *s, const char *text)
{
	const size_t len = text ? strlen(text) : 0;
	uint32_t at;
	size_t i;

	if (!len)
		return 0;
	for (i = fnv((const uint8_t *)text, len) & s->mask; s->seen[i]; i = (i + 1) & s->mask)
		if (!strcmp((const char *)s->texts.start + s->seen[i], text))
			return s->seen[i];
	at = (uint32_t)writer_len(&s->texts);
	write_bytes(&s->texts, text, len + 1);
	s->seen[i] = at;
	return at;
}

static void put_object(struct save *s, const struct registry_object *o)
{
	write_u16(&s->objects, o->id);
	write_u16(&s->objects, o->version);
	write_u16(&s->objects, o->flags & (REGISTRY_MULTIPLE | REGISTRY_SECRET));
	write_u16(&s->objects, o->n);
	write_u32(&s->objects, put_text(s, o->name));
	for (size_t i = 0; i < o->n; i++) {
		write_u16(&s->resources, o->v[i].id);
		write_u8(&s->resources, o->v[i].type);
		write_u8(&s->resources, o->v[i].flags);
		write_u32(&s->resources, put_text(s, o->v[i].name));
		write_u32(&s->resources, put_text(s, o->v[i].units));
	}
}

struct sizes {
	size_t resources, texts, strings; /* texts: octets of all, with their NULs */
};

static struct sizes measure(const struct lwm2m_registry *r)
{
	struct sizes z = { .texts = 1 };

	for (size_t i = 0; i < r->n; i++) {
		z.resources += r->v[i].n;
		z.texts += strlen(r->v[i].name) + 1;
		for (size_t k = 0; k < r->v[i].n; k++)
			z.texts += strlen(r->v[i].v[k].name) + 1 +
				(r->v[i].v[k].units ? strlen(r->v[i].v[k].units) + 1 : 0);
	}
	z.strings = r->n + 2 * z.resources;
	return z;
}

static size_t power_above(size_t n)
{
	size_t p = 16;

	while (p < 2 * n)
		p *= 2;
	return p;
}

int lwm2m_registry_save(const struct lwm2m_registry *r, uint8_t **out, size_t *len)
{
	const struct sizes z = measure(r);
	const size_t fixed = HEAD + r->n * OBJECT + z.resources * RESOURCE, slots = power_above(z.strings);
	struct save s = { .seen = calloc(slots, sizeof *s.seen), .mask = slots - 1 };
	uint8_t *buf = malloc(fixed + z.texts);
	struct writer head;

	if (!s.seen || !buf) {
		free(s.seen);
		free(buf);
		return -ENOMEM;
	}
	s.objects = writer_of(buf + HEAD, r->n * OBJECT);
	s.resources = writer_of(buf + HEAD + r->n * OBJECT, z.resources * RESOURCE);
	s.texts = writer_of(buf + fixed, z.texts);
	write_u8(&s.texts, 0);
	for (size_t i = 0; i < r->n; i++)
		put_object(&s, &r->v[i]);
	*len = fixed + writer_len(&s.texts);
	head = writer_of(buf, HEAD);
	write_bytes(&head, magic, sizeof magic);
	write_u32(&head, (uint32_t)r->n);
	write_u32(&head, (uint32_t)z.resources);
	write_u64(&head, fnv(buf + HEAD, *len - HEAD));
	free(s.seen);
	*out = buf;
	return 0;
}
