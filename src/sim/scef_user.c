/* SPDX-License-Identifier: Apache-2.0 */
/* scef_user.c - who is behind the SCEF: identities, and where on the radio each of them is
 *
 * A user is known by external identifier, MSISDN, or both, and appears either when a configuration names it or when its
 * first datagram comes. Users are never forgotten: their addresses outlive a restart of the API.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/scef.h"

static bool external_id_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct scef_user *u = container_of(n, const struct scef_user, by_external_id);

	return strlen(u->external_id) == len && !memcmp(u->external_id, key, len);
}

static bool msisdn_eq(const struct map_node *n, const void *key, size_t len)
{
	const struct scef_user *u = container_of(n, const struct scef_user, by_msisdn);

	return strlen(u->msisdn) == len && !memcmp(u->msisdn, key, len);
}

static bool addr_eq(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return addr_equal(&container_of(n, const struct scef_user, by_addr)->addr, key, true);
}

/* The octets of an address that identify it, for hashing. */
static uint64_t addr_hash(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	addr_format(a, text, sizeof text);
	return map_hash(text, strlen(text));
}

static struct scef_user *by_external_id(struct scef *s, const char *id)
{
	struct map_node *n = map_find(&s->by_external_id, map_hash(id, strlen(id)), external_id_eq, id, strlen(id));

	return n ? container_of(n, struct scef_user, by_external_id) : NULL;
}

static struct scef_user *by_msisdn(struct scef *s, const char *id)
{
	struct map_node *n = map_find(&s->by_msisdn, map_hash(id, strlen(id)), msisdn_eq, id, strlen(id));

	return n ? container_of(n, struct scef_user, by_msisdn) : NULL;
}

struct scef_user *scef_user_find(struct scef *s, const char *identity)
{
	return strchr(identity, '@') ? by_external_id(s, identity) : by_msisdn(s, identity);
}

const char *scef_user_name(const struct scef_user *u)
{
	return u->external_id ? u->external_id : u->msisdn ? u->msisdn : "?";
}

struct scef_user *scef_user(struct scef *s, const char *external_id, const char *msisdn)
{
	struct scef_user *u = external_id ? by_external_id(s, external_id) : NULL;

	if (!u && msisdn)
		u = by_msisdn(s, msisdn);
	if (!u)
		u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->scef = s;
	if (external_id && !u->external_id) {
		u->external_id = strdup(external_id);
		if (u->external_id)
			map_add(&s->by_external_id, &u->by_external_id, map_hash(external_id, strlen(external_id)));
	}
	if (msisdn && !u->msisdn && !by_msisdn(s, msisdn)) {
		u->msisdn = strdup(msisdn);
		if (u->msisdn)
			map_add(&s->by_msisdn, &u->by_msisdn, map_hash(msisdn, strlen(msisdn)));
	}
	return u;
}

static void place(struct scef *s, struct scef_user *u, const struct addr *a)
{
	if (u->has_addr && addr_port(&u->addr))
		map_remove(&s->by_addr, &u->by_addr);
	u->addr = *a;
	u->has_addr = true;
	if (addr_port(a)) /* an address alone is looked for by walking --map entries */
		map_add(&s->by_addr, &u->by_addr, addr_hash(a));
}

/* ---- rules for unknown sources ---- */

static void expand(const char *template, const struct addr *a, uint64_t n, char *out, size_t size)
{
	char host[ADDR_TEXT_MAX], *colon;
	size_t at = 0;

	addr_format(a, host, sizeof host);
	colon = strrchr(host, ':');
	if (colon)
		*colon = '\0';
	while (*template && at + 1 < size) {
		size_t left = size - at;
		int len = 0;

		if (!strncmp(template, "{port}", 6)) {
			len = snprintf(out + at, left, "%u", addr_port(a));
		} else if (!strncmp(template, "{addr}", 6)) {
			len = snprintf(out + at, left, "%s", host);
		} else if (!strncmp(template, "{last}", 6)) {
			const char *dot = strrchr(host, '.');

			len = snprintf(out + at, left, "%s", dot ? dot + 1 : host);
		} else if (!strncmp(template, "{n}", 3)) {
			len = snprintf(out + at, left, "%llu", (unsigned long long)n);
		} else {
			out[at++] = *template ++;
			continue;
		}
		template = strchr(template, '}') + 1;
		at += (size_t)len < left ? (size_t)len : left - 1;
	}
	out[at] = '\0';
}

/* "external-id[,msisdn]" to a user. */
static struct scef_user *from_text(struct scef *s, const char *text)
{
	char external_id[256], *comma;

	snprintf(external_id, sizeof external_id, "%s", text);
	comma = strchr(external_id, ',');
	if (comma)
		*comma = '\0';
	return scef_user(s, external_id, comma ? comma + 1 : NULL);
}

static struct scef_user *at_host(struct scef *s, const struct addr *a)
{
	struct map_node *n = NULL;
	size_t i = 0;

	while ((n = map_next(&s->by_external_id, &i, n))) {
		struct scef_user *u = container_of(n, struct scef_user, by_external_id);

		if (u->has_addr && !addr_port(&u->addr) && addr_equal(&u->addr, a, false))
			return u;
	}
	return NULL;
}

struct scef_user *scef_user_at(struct scef *s, const struct addr *a)
{
	struct map_node *node = map_find(&s->by_addr, addr_hash(a), addr_eq, a, sizeof *a);
	struct scef_user *u = node ? container_of(node, struct scef_user, by_addr) : NULL;
	char external_id[256], msisdn[64];

	if (u)
		return u;
	if (s->opts.map)
		u = at_host(s, a);
	if (!u && s->users < s->opts.ids.n) {
		u = from_text(s, s->opts.ids.texts[s->users]);
		s->users++;
	} else if (!u) {
		s->users++;
		expand(s->opts.external_id, a, s->users, external_id, sizeof external_id);
		expand(s->opts.msisdn, a, s->users, msisdn, sizeof msisdn);
		u = scef_user(s, external_id, msisdn);
	}
	if (u)
		place(s, u, a);
	return u;
}

int scef_users_load(struct scef *s)
{
	FILE *f = s->opts.map ? fopen(s->opts.map, "r") : NULL;
	char line[512], who[256], where[128];
	int err = 0;

	if (!s->opts.map)
		return 0;
	if (!f)
		return -errno;
	while (!err && fgets(line, sizeof line, f)) {
		struct scef_user *u;
		struct addr a;
		int words = sscanf(line, "%255s %127s", who, where);

		if (words < 1 || *who == '#')
			continue;
		u = words == 2 && !addr_parse(&a, where, false) ? from_text(s, who) : NULL;
		if (u)
			place(s, u, &a);
		else
			err = -EINVAL;
	}
	fclose(f);
	return err;
}

/* ---- uplink ---- */

static void held_free(struct scef_held *h)
{
	for (struct scef_held **at = &h->user->held; *at; at = &(*at)->next) {
		if (*at == h) {
			*at = h->next;
			break;
		}
	}
	timer_cancel(loop_timers(h->user->scef->loop), &h->timer);
	json_decref(h->id);
	free(h);
}

static void on_held_too_long(struct timer *t, uint64_t now_ms)
{
	struct scef_held *h = container_of(t, struct scef_held, timer);
	struct scef *s = h->user->scef;

	(void)now_ms;
	scef_event(s,
		   json_pack("{s:s, s:s, s:o}", "ev", "uplink_dropped", "external_id", scef_user_name(h->user), "data",
			     json_hex(h->data, h->len)));
	if (h->id)
		console_answer(s->console, h->id,
			       json_pack("{s:s, s:s}", "ev", "error", "text", "the user has no configuration"));
	held_free(h);
}

static void hold(struct scef_user *u, const uint8_t *data, size_t len, json_t *id)
{
	struct scef_held *h = calloc(1, sizeof *h + len), **end = &u->held;

	if (!h)
		return;
	h->user = u;
	h->len = len;
	if (len)
		memcpy(h->data, data, len);
	h->id = json_incref(id);
	while (*end)
		end = &(*end)->next;
	*end = h;
	timer_set(loop_timers(u->scef->loop), &h->timer, clock_now_ms() + u->scef->opts.hold_ms, on_held_too_long);
	scef_event(u->scef, json_pack("{s:s, s:s}", "ev", "uplink_held", "external_id", scef_user_name(u)));
}

void scef_held_release(struct scef_user *u)
{
	while (u->held && u->config) {
		struct scef_held *h = u->held;

		scef_notify_uplink(u, h->data, h->len, h->id);
		held_free(h);
	}
}

void scef_uplink(struct scef_user *u, const uint8_t *data, size_t len, json_t *id)
{
	struct scef *s = u->scef;

	scef_event(s,
		   json_pack("{s:s, s:s, s:o}", "ev", "uplink", "external_id", scef_user_name(u), "data",
			     json_hex(data, len)));
	if (!u->asleep_hold)
		u->asleep = false;
	if (!u->config) {
		hold(u, data, len, id);
		return;
	}
	scef_notify_uplink(u, data, len, id);
	if (scef_radio_duplicate(s))
		scef_notify_uplink(u, data, len, NULL);
	if (s->opts.auto_flush && !s->opts.buffering && !u->asleep)
		scef_flush(u, s->opts.success, true);
}

static void user_free(struct scef *s, struct scef_user *u)
{
	while (u->held)
		held_free(u->held);
	scef_pending_free(u, NULL);
	if (u->external_id)
		map_remove(&s->by_external_id, &u->by_external_id);
	if (u->msisdn)
		map_remove(&s->by_msisdn, &u->by_msisdn);
	free(u->external_id);
	free(u->msisdn);
	free(u);
}

void scef_users_free(struct scef *s)
{
	struct map_node *n, *next;
	size_t i = 0;

	for (i = 0, n = map_next(&s->by_external_id, &i, NULL); n; n = next) {
		next = map_next(&s->by_external_id, &i, n);
		user_free(s, container_of(n, struct scef_user, by_external_id));
	}
	for (i = 0, n = map_next(&s->by_msisdn, &i, NULL); n; n = next) {
		next = map_next(&s->by_msisdn, &i, n);
		user_free(s, container_of(n, struct scef_user, by_msisdn));
	}
	map_fini(&s->by_external_id);
	map_fini(&s->by_msisdn);
	map_fini(&s->by_addr);
}
