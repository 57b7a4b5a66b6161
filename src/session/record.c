/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - stored device records as text, and how they come back at the start
 *
 * Text by key, so that a version to come reads what this one has written, and a person what is in the store.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define FORM "1\n" /* first line of a stored record: the version of its form */
#define PAIRS_MAX 1024

/* ---- as text: a line per value, lists entry by entry ---- */

struct text {
	char *buf;
	size_t len;
};

static void put(struct text *t, const char *s, size_t len)
{
	if (t->len + len <= RECORD_TEXT_MOST)
		memcpy(t->buf + t->len, s, len);
	t->len += len;
}

static void put_pair(void *arg, const struct conf_pair *p, bool list)
{
	(void)list;
	put(arg, p->key, strlen(p->key));
	put(arg, "=", 1);
	put(arg, p->value, strlen(p->value));
	put(arg, "\n", 1);
}

char *record_text(const struct device_conf *c, size_t *len)
{
	char buf[RECORD_TEXT_MOST], *text;
	struct text t = { buf, 0 };

	put(&t, FORM, strlen(FORM));
	conf_record_each(device_items, c, put_pair, &t);
	*len = t.len;
	if (t.len > sizeof buf)
		return NULL;
	text = malloc(t.len);
	if (text)
		memcpy(text, buf, t.len);
	else
		*len = 0;
	return text;
}

static void log_pair_fault(void *arg, const char *text)
{
	log_ev(LOG_ERROR, ROOM, "record.fault", LF_STR("dev", arg), LF_STR("reason", text));
}

/* Cuts the lines of text into pairs; buf is text's place from now on. 0 for what is none of ours. */
static size_t split(struct conf_pair *v, char *buf, size_t len)
{
	size_t n = 0;

	if (len < strlen(FORM) || memcmp(buf, FORM, strlen(FORM)) != 0 || memchr(buf, '\0', len))
		return 0;
	for (char *at = buf + strlen(FORM), *end = buf + len; at < end;) {
		char *stop = memchr(at, '\n', (size_t)(end - at)),
		     *value = stop ? memchr(at, '=', (size_t)(stop - at)) : NULL;

		if (!value || n == PAIRS_MAX)
			return 0;
		*stop = *value = '\0';
		v[n++] = (struct conf_pair){ at, value + 1, true };
		at = stop + 1;
	}
	return n;
}

static int record_read(struct device_conf **out, const char *name, const void *data, size_t len)
{
	struct conf_pair v[PAIRS_MAX + 1];
	char buf[RECORD_TEXT_MOST];
	void *c = NULL;
	size_t n;
	int err;

	if (len > sizeof buf)
		return -EBADMSG;
	memcpy(buf, data, len);
	n = split(v, buf, len);
	if (!n)
		return -EBADMSG;
	v[n++] = (struct conf_pair){ "name", name, false };
	err = conf_record_new(&c, device_items, sizeof(struct device_conf), NULL, v, n, log_pair_fault,
			      (void *)(uintptr_t)name);
	*out = c;
	return err;
}

/* ---- at the start ---- */

struct restoring {
	struct sessions *s;
	size_t n, faulty;
};

static int on_record(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct restoring *r = arg;
	struct device_conf *c;
	char name[256];
	int err = -EBADMSG;

	if (key_len < sizeof name) {
		memcpy(name, key, key_len);
		name[key_len] = '\0';
		map_expect(&r->s->names, map_hash(key, key_len));
		err = record_read(&c, name, data, len);
	}
	if (err == -ENOMEM)
		return err;
	if (err) {
		log_ev(LOG_ERROR, ROOM, "record.damaged", LF_BYTES("dev", key, key_len));
		r->faulty++;
		return 0;
	}
	r->n++;
	if (c->ep)
		map_expect(&r->s->eps, map_hash(c->ep, strlen(c->ep)));
	(void)record_place(r->s, c);
	return 0;
}

int sessions_restore_records(struct sessions *s)
{
	struct restoring r = { s, 0, 0 };
	int err = s->env.store ? store_each(s->env.store, STORE_DEVICE, on_record, &r) : 0;

	table_shrink(s);
	records_tell(s);
	if (r.n || r.faulty)
		log_ev(LOG_INFO, ROOM, "records.restored", LF_UINT("records", r.n),
		       LF_UINT("overruled", s->overruled.count), LF_UINT("faulty", r.faulty));
	return err;
}
