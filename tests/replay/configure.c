/* SPDX-License-Identifier: Apache-2.0 */
/* configure.c - lines of configuration to what a loaded configuration would hold
 *
 * Values are filled by the rooms' own tables, so a scenario knows every key by its name, default and range. Each time a
 * configuration is taken over, all of it is built anew and the one before is freed, as after a reload: a session that
 * kept a pointer into the old one is found out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

static const char *const kinds[] = { "link", "server", "profile", "device" };
enum kind { LINKS, SERVERS, PROFILES, DEVICES, KINDS };

struct record {
	struct record *next;
	enum kind kind;
	struct words words; /* KIND NAME KEY=VALUE .. */
};
static struct record *records; /* as the scenario has them now, in order */

static struct record **find_record(enum kind kind, const char *name)
{
	struct record **at = &records;

	while (*at && ((*at)->kind != kind || strcmp((*at)->words.v[1], name) != 0))
		at = &(*at)->next;
	return at;
}

static void copy_words(struct words *to, const struct words *from)
{
	*to = *from;
	for (unsigned i = 0; i < from->n; i++)
		to->v[i] = to->text + (from->v[i] - from->text);
}

static void set_record(enum kind kind, const struct words *w)
{
	struct record **at;

	if (w->n < 2)
		fail("%s has no name", w->v[0]);
	at = find_record(kind, w->v[1]);
	if (!*at)
		*at = calloc(1, sizeof **at);
	if (!*at)
		abort();
	(*at)->kind = kind;
	copy_words(&(*at)->words, w);
}

static int kind_of(const char *word)
{
	for (int i = 0; i < KINDS; i++)
		if (strcmp(word, kinds[i]) == 0)
			return i;
	return -1;
}

static void remove_record(const struct words *w)
{
	int kind = w->n == 3 ? kind_of(w->v[1]) : -1;
	struct record **at, *gone;

	if (kind < 0)
		fail("remove takes a kind and a name");
	at = find_record((enum kind)kind, w->v[2]);
	gone = *at;
	if (!gone)
		fail("there is no %s %s", w->v[1], w->v[2]);
	*at = gone->next;
	free(gone);
}

bool conf_line(const struct words *w)
{
	int kind = kind_of(w->v[0]);

	if (kind >= 0)
		set_record((enum kind)kind, w);
	else if (strcmp(w->v[0], "remove") == 0)
		remove_record(w);
	else
		return false;
	return true;
}

/* ---- values ---- */

static void *own(struct run_conf *c, void *p)
{
	void **grown = realloc(c->owned, (c->owned_n + 1) * sizeof *grown);

	if (!p || !grown)
		abort();
	c->owned = grown;
	c->owned[c->owned_n++] = p;
	return p;
}

static const char *own_text(struct run_conf *c, const char *text)
{
	return text ? own(c, strdup(text)) : NULL;
}

static int find_word(const struct conf_item *item, const char *text)
{
	for (int i = 0; item->words[i]; i++)
		if (strcmp(item->words[i], text) == 0)
			return i;
	fail("%s has no value \"%s\"", item->name, text);
}

static double in_range(const struct conf_item *item, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || v < item->least || v > item->most)
		fail("%s=%s is not in %g .. %g", item->name, text, item->least, item->most);
	return v;
}

/* "a,b,c" */
static struct conf_texts read_texts(struct run_conf *c, const char *text)
{
	struct conf_texts t = { 0 };
	const char **v = own(c, calloc(strlen(text) + 1, sizeof *v));

	while (*text) {
		size_t n = strcspn(text, ",");

		v[t.n++] = own(c, strndup(text, n));
		text += n + (text[n] == ',');
	}
	t.v = v;
	return t;
}

static void list_add(struct run_conf *c, struct conf_list *l, void *v)
{
	void **grown = calloc(l->n + 1, sizeof *grown);

	if (l->n)
		memcpy(grown, l->v, l->n * sizeof *grown);
	own(c, grown);
	grown[l->n++] = v;
	l->v = grown;
}

/* "a/b/c": the texts of one nameless group. */
static void *read_group(struct run_conf *c, const struct conf_item *items, size_t size, const char *text, size_t len)
{
	void *group = own(c, calloc(1, size));

	for (const char *end = text + len; items->name && text <= end; items++) {
		size_t n = strcspn(text, "/,");

		*(const char **)((char *)group + items->offset) = own(c, strndup(text, n));
		text += n + 1;
	}
	return group;
}

static void read_list(struct run_conf *c, const struct conf_item *item, struct conf_list *l, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ",");

		list_add(c, l, read_group(c, item->items, item->size, text, n));
		text += n + (text[n] == ',');
	}
}

static void set_value(struct run_conf *c, const struct conf_item *item, void *base, const char *text)
{
	void *at = (char *)base + item->offset;

	switch (item->type) {
	case CONF_TYPE_TEXT:
	case CONF_TYPE_FILE: /* no transport of a scenario opens it */
	case CONF_TYPE_KEYFILE:
	case CONF_TYPE_SECRET:
		*(const char **)at = own_text(c, text);
		break;
	case CONF_TYPE_UINT:
		*(uint64_t *)at = text ? (uint64_t)in_range(item, text) : (uint64_t)item->number;
		break;
	case CONF_TYPE_REAL:
		*(double *)at = text ? in_range(item, text) : item->number;
		break;
	case CONF_TYPE_BOOL:
		*(bool *)at = text ? strcmp(text, "true") == 0 : item->number != 0;
		break;
	case CONF_TYPE_WORD:
		*(int *)at = text ? find_word(item, text) : item->text ? 0 : -1;
		break;
	case CONF_TYPE_TEXTS:
		if (text)
			*(struct conf_texts *)at = read_texts(c, text);
		break;
	case CONF_TYPE_LIST:
		if (text)
			read_list(c, item, at, text);
		break;
	default:
		fail("%s is of a type that scenarios do not know", item->name);
	}
}

static const struct conf_item *find_item(const struct conf_item *items, const char *name, size_t len)
{
	for (; items->name; items++)
		if (strlen(items->name) == len && memcmp(items->name, name, len) == 0 && !items->absent)
			return items;
	return NULL;
}

static void *fill_record(struct run_conf *c, const struct words *w, const struct conf_item *items, size_t size)
{
	struct conf_head *head = own(c, calloc(1, size));

	head->name = own_text(c, w->v[1]);
	for (const struct conf_item *i = items; i->name; i++)
		if (!i->absent)
			set_value(c, i, head, i->text);
	for (unsigned i = 2; i < w->n; i++) {
		size_t n = strcspn(w->v[i], "=");
		const struct conf_item *item = find_item(items, w->v[i], n);

		if (!item || !w->v[i][n])
			fail("\"%s\" is no key of a %s", w->v[i], w->v[0]);
		set_value(c, item, head, w->v[i] + n + 1);
	}
	return head;
}

/* What a scenario need not say: one link, and an identity. */
static void complete_device(struct run_conf *c, struct device_conf *d)
{
	char id[256];

	if (!d->link)
		d->link = own_text(c, "air");
	if (d->external_id || d->msisdn || d->address)
		return;
	snprintf(id, sizeof id, "%s@replay", d->head.name);
	d->external_id = own_text(c, id);
}

static void complete_server(struct run_conf *c, struct server_conf *s)
{
	char uri[256];

	if (s->uri)
		return;
	if (strstr(s->head.name, "://")) { /* a target of proxy_allow */
		s->uri = s->head.name;
		s->role = SERVER_PROXY;
		return;
	}
	snprintf(uri, sizeof uri, "coap://%s.example", s->head.name);
	s->uri = own_text(c, uri);
}

static void add_record(struct run_conf *c, const struct record *r)
{
	static const struct conf_item link[] = { CONF_BOOL(struct link_conf, journal, true),
						 CONF_BOOL(struct fake_link_conf, queues, false), CONF_END };
	void *v;

	switch (r->kind) {
	case LINKS:
		list_add(c, &c->links, fill_record(c, &r->words, link, sizeof(struct fake_link_conf)));
		break;
	case SERVERS:
		v = fill_record(c, &r->words, server_items, sizeof(struct server_conf));
		complete_server(c, v);
		list_add(c, &c->servers, v);
		break;
	case PROFILES:
		list_add(c, &c->profiles, fill_record(c, &r->words, profile_items, sizeof(struct profile_conf)));
		break;
	default:
		v = fill_record(c, &r->words, device_items, sizeof(struct device_conf));
		complete_device(c, v);
		list_add(c, &c->devices, v);
		break;
	}
}

static struct run_conf *build(void)
{
	struct run_conf *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	for (const struct record *r = records; r; r = r->next)
		add_record(c, r);
	return c;
}

static void conf_free_all(struct run_conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->owned_n; i++)
		free(c->owned[i]);
	free(c->owned);
	free(c);
}

/* ---- taking over ---- */

static const char *name_at(const struct conf_list *l, size_t i)
{
	return ((const struct conf_head *)l->v[i])->name;
}

static bool list_has(const struct conf_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(name_at(l, i), name) == 0)
			return true;
	return false;
}

static struct link *open_link(const struct link_conf *conf)
{
	const char *name = conf->head.name;
	struct fake_link *l = world.links;

	while (l && strcmp(fake_link_name(l), name) != 0)
		l = fake_link_next(l);
	if (!l)
		l = fake_link_open(name);
	fake_link_set(l, conf);
	return fake_link_base(l);
}

static struct north_server *open_server(const struct server_conf *conf)
{
	struct north_server *s = world.servers;

	while (s && strcmp(fake_server_name(s), conf->head.name) != 0)
		s = fake_server_next(s);
	if (s)
		fake_server_set(s, conf);
	return s ? s : fake_server_open(conf);
}

static void take_over(const struct run_conf *c)
{
	struct link **links = calloc(c->links.n + 1, sizeof *links);
	struct north_server **servers = calloc(c->servers.n + 1, sizeof *servers);
	struct sessions_conf conf = { links,       c->links.n, servers,     c->servers.n, &c->profiles,
				      &c->devices, &c->links,  &c->servers, NULL,         NULL };
	struct sessions_change change;
	int err;

	if (!links || !servers)
		abort();
	for (size_t i = 0; i < c->links.n; i++)
		links[i] = open_link(c->links.v[i]);
	for (size_t i = 0; i < c->servers.n; i++)
		servers[i] = open_server(c->servers.v[i]);
	err = sessions_configure(world.sessions, &conf, &change);
	free(links);
	free(servers);
	if (err || change.failed)
		fail("sessions_configure: %s, %zu devices not attached", strerror(-err), change.failed);
}

static void close_withdrawn(const struct run_conf *c)
{
	struct fake_link *l = world.links;
	struct north_server *s = world.servers;

	while (l) {
		struct fake_link *next = fake_link_next(l);

		if (!list_has(&c->links, fake_link_name(l)))
			fake_link_close(l);
		l = next;
	}
	while (s) {
		struct north_server *next = fake_server_next(s);

		if (!list_has(&c->servers, fake_server_name(s)))
			fake_server_close(s);
		s = next;
	}
}

static void open_sessions(void)
{
	struct sessions_env env = {
		.timers = &world.timers,
		.metrics = world.metrics,
		.alarms = world.alarms,
		.gateway_id = "gw-replay",
		.store = world.store,
		.exchanges_max = world.exchanges_max,
	};
	struct words air;

	mirror_run();
	env.mirror = world.mirror;
	if (sessions_new(&world.sessions, &env))
		abort();
	watch_run();
	ask_run();
	for (const struct record *r = records; r; r = r->next)
		if (r->kind == LINKS)
			return;
	words_split(&air, "link air");
	set_record(LINKS, &air);
}

void conf_apply(void)
{
	struct run_conf *c, *old = world.conf;

	if (!world.sessions)
		open_sessions();
	c = build();
	world.quiet = !old;
	world.conf = c;
	take_over(c);
	if (!old && sessions_restore(world.sessions))
		fail("sessions_restore");
	if (!old)
		ask_restored();
	close_withdrawn(c);
	conf_free_all(old);
	world.quiet = false;
}

void conf_close(void)
{
	world.quiet = true;
	sessions_free(world.sessions);
	world.sessions = NULL;
	ask_ended();
	if (world.timers.count)
		fail("%zu timers are set after the end", world.timers.count);
	while (world.links)
		fake_link_close(world.links);
	while (world.servers)
		fake_server_close(world.servers);
	conf_free_all(world.conf);
	world.conf = NULL;
	world.quiet = false;
}

void conf_end(void)
{
	conf_close();
	while (records) {
		struct record *r = records;

		records = r->next;
		free(r);
	}
}
