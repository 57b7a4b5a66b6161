/* SPDX-License-Identifier: Apache-2.0 */
/* ask_store.c - asks that wait for a sleeper outlive the process
 *
 * Their requests do so anyway, in the journal; what is stored here is whose answer it is. One that has lost its request
 * on the way ends with its time.
 */
#include <stdlib.h>
#include <string.h>

#include "session/own.h"

#define FORM 1
#define KEY_HEAD "ask." /* then the token */
enum { KEY_LEN = sizeof KEY_HEAD - 1 + COAP_TOKEN_MAX, RECORD_MOST = ASK_NOTE_MOST + 512 };

static void key_of(uint8_t key[KEY_LEN], const uint8_t *token)
{
	memcpy(key, KEY_HEAD, sizeof KEY_HEAD - 1);
	memcpy(key + sizeof KEY_HEAD - 1, token, COAP_TOKEN_MAX);
}

static void on_stored(struct store_wait *w, int err)
{
	struct ask *a = container_of(w, struct ask, wait);

	(void)err; /* nothing better is to be had: the store tries again */
	a->storing = false;
	ask_accept(a);
}

void ask_store(struct ask *a, const void *note, size_t len)
{
	uint64_t wall = clock_wall_ms() + (a->deadline_ms - clock_now_ms());
	const char *name = device_name(a->dev);
	uint8_t buf[RECORD_MOST], key[KEY_LEN];
	struct writer w = writer_of(buf, sizeof buf);

	if (!note || !keeps(a->dev) || a->token_len != COAP_TOKEN_MAX)
		return;
	write_u8(&w, FORM);
	write_u32(&w, (uint32_t)(wall >> 32));
	write_u32(&w, (uint32_t)wall);
	write_u8(&w, a->verb);
	write_u8(&w, a->target.path.depth);
	for (unsigned i = 0; i < 4; i++)
		write_u16(&w, a->target.path.id[i]);
	write_u16(&w, (uint16_t)strlen(name));
	write_bytes(&w, name, strlen(name));
	write_u16(&w, (uint16_t)len);
	write_bytes(&w, note, len);
	if (w.failed)
		return;
	key_of(key, a->token);
	store_put(a->all->env.store, STORE_MARK, key, sizeof key, buf, writer_len(&w));
	a->stored = a->storing = true;
	a->wait.fn = on_stored;
	store_flush(a->all->env.store, &a->wait);
}

void ask_unstore(struct ask *a)
{
	uint8_t key[KEY_LEN];

	if (!a->stored || a->all->ending)
		return;
	key_of(key, a->token);
	store_delete(a->all->env.store, STORE_MARK, key, sizeof key);
	a->stored = false;
}

/* ---- after a restart ---- */

static struct device *read_device(struct sessions *s, struct reader *r)
{
	char name[512];
	size_t len = read_u16(r);
	const uint8_t *p = read_span(r, len);

	if (!p || len >= sizeof name)
		return NULL;
	memcpy(name, p, len);
	name[len] = 0;
	return sessions_find(s, name);
}

static void read_note(struct ask *a, struct reader *r)
{
	size_t len = read_u16(r);
	const uint8_t *p = read_span(r, len);

	a->note = p ? malloc(len + 1) : NULL;
	if (!a->note)
		return;
	memcpy(a->note, p, len);
	a->note_len = len;
}

static int on_record(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct sessions *s = arg;
	struct reader r = reader_of(data, len);
	uint64_t wall, now = clock_wall_ms();
	struct ask *a;

	if (key_len != KEY_LEN || memcmp(key, KEY_HEAD, sizeof KEY_HEAD - 1) != 0 || read_u8(&r) != FORM)
		return 0;
	a = s->own->asks_n < ASK_OPEN_MOST ? ask_new(s, NULL, NULL) : NULL;
	if (!a)
		return 0;
	memcpy(a->token, (const uint8_t *)key + sizeof KEY_HEAD - 1, COAP_TOKEN_MAX);
	a->token_len = COAP_TOKEN_MAX;
	a->stored = true;
	wall = (uint64_t)read_u32(&r) << 32;
	wall |= read_u32(&r);
	a->deadline_ms = clock_now_ms() + (wall > now ? wall - now : 0);
	a->verb = read_u8(&r);
	a->target.path.depth = read_u8(&r) & 7;
	for (unsigned i = 0; i < 4; i++)
		a->target.path.id[i] = read_u16(&r);
	a->target.known = true;
	a->dev = read_device(s, &r);
	a->assoc = a->dev ? assoc_get(a->dev, s->own->server) : NULL;
	read_note(a, &r);
	if (!a->assoc)
		ask_end(a, "not_found", "the device is gone");
	else
		ask_wait(a, a->deadline_ms + 1);
	return 0;
}

int asks_restore(struct sessions *s)
{
	return s->own ? store_each(s->env.store, STORE_MARK, on_record, s) : 0;
}

void asks_adopt(struct sessions *s, ask_adopt_fn *adopt, void *arg)
{
	struct ask *next;

	for (struct ask *a = s->own ? s->own->asks : NULL; a; a = next) {
		next = a->next;
		if (!a->note || a->adopted)
			continue;
		if (adopt && adopt(arg, a, a->note, a->note_len))
			continue;
		ask_close(a);
	}
}
