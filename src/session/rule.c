/* SPDX-License-Identifier: Apache-2.0 */
/* rule.c - provisioning on first contact
 *
 * An unknown identity costs a look at the rules and nothing more; what a rule makes is a stored record like any other,
 * named by the identity. Whoever can choose identities could make as many as he likes, so they are made at a bounded
 * rate and up to a bounded number, and one that comes too soon is told to come later.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define LOG_EVERY_MS 10000
#define EP_MAX 128
#define MORE_PAIRS 6
#define KEY_PATH_MAX 4352 /* a path, a name, and what stands around them */

static const struct rule_conf *find_rule(const struct sessions *s, const struct link *l, const char *identity)
{
	for (size_t i = 0; s->lists.rules && i < s->lists.rules->n; i++) {
		const struct rule_conf *r = s->lists.rules->v[i];

		if (strcmp(r->link, l->conf->head.name) == 0 && fnmatch(r->match, identity, 0) == 0)
			return r;
	}
	return NULL;
}

/* As for quotas: a theoretical arrival time, with one second of burst. */
static bool within_rate(struct sessions *s)
{
	const uint64_t step = 1000000 / RULE_RATE, now = clock_now_ms() * 1000;
	uint64_t at = s->rule_us > now ? s->rule_us : now;

	if (at - now > 1000000 - step)
		return false;
	s->rule_us = at + step;
	return true;
}

/* ---- the endpoint name ---- */

struct parts {
	const char *identity, *domain;
	size_t identity_len, local_len, domain_len;
};

static struct parts parts_of(const char *identity)
{
	const char *at = strchr(identity, '@');
	struct parts p = { .identity = identity, .identity_len = strlen(identity) };

	p.local_len = at ? (size_t)(at - identity) : p.identity_len;
	p.domain = at ? at + 1 : "";
	p.domain_len = strlen(p.domain);
	return p;
}

/* The text that stands for a word of the template, and the word's length. */
static size_t word_at(const struct parts *p, const char *at, const char **text, size_t *len)
{
	const struct {
		const char *word, *text;
		size_t len;
	} words[] = {
		{ "{identity}", p->identity, p->identity_len },
		{ "{local}", p->identity, p->local_len },
		{ "{domain}", p->domain, p->domain_len },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strncmp(at, words[i].word, strlen(words[i].word)) == 0) {
			*text = words[i].text;
			*len = words[i].len;
			return strlen(words[i].word);
		}
	*text = at;
	*len = 1;
	return 1;
}

/* False when it does not fit. */
static bool expand(char *ep, const char *template, const char *identity)
{
	struct parts p = parts_of(identity);
	size_t used = 0, len;
	const char *text;

	while (*template) {
		template += word_at(&p, template, &text, &len);
		if (used + len > EP_MAX)
			return false;
		memcpy(ep + used, text, len);
		used += len;
	}
	ep[used] = '\0';
	return used > 0;
}

/* ---- making the record ---- */

struct refusal {
	struct sessions *s;
	const char *identity;
	bool told;
};

static void refuse_for(void *arg, const char *text)
{
	struct refusal *r = arg;
	uint64_t held;

	if (r->told)
		return;
	r->told = true;
	count(r->s, C_RULE_REFUSED);
	if (log_limit(&r->s->rule_limit, clock_now_ms(), LOG_EVERY_MS, &held))
		log_ev(LOG_WARNING, ROOM, "provision.refused", LF_STR("identity", r->identity), LF_STR("reason", text),
		       LF_UINT("held", held));
}

static void refuse_key(void *arg, const char *key, int index, const char *text)
{
	(void)key;
	(void)index;
	refuse_for(arg, text);
}

static const char *identity_key(const struct link_identity *id)
{
	return id->kind == LINK_ID_EXTERNAL ? "external_id" : id->kind == LINK_ID_MSISDN ? "msisdn" : "address";
}

/* The key of the device where a server wants one; NULL: none does. */
static const char *key_path(char buf[KEY_PATH_MAX], const struct rule_conf *rule, const char *identity,
			    const struct session_lists *lists)
{
	if (!rule->psk_key_dir || !keys_rule_wants_psk(rule, lists))
		return NULL;
	snprintf(buf, KEY_PATH_MAX, "file:%s/%s.key", rule->psk_key_dir, identity);
	return buf;
}

/* Texts that pairs point to. */
struct pair_texts {
	char ep[EP_MAX + 1], key[KEY_PATH_MAX];
};

/* Room for v is the caller's: the servers and MORE_PAIRS. The number of pairs, or 0 when it was refused. */
static size_t make_pairs(struct conf_pair *v, const struct rule_conf *rule, const struct link_identity *id,
			 struct pair_texts *texts, struct refusal *r)
{
	const char *key = key_path(texts->key, rule, id->text, &r->s->lists);
	char *ep = texts->ep;
	size_t n = 0;

	v[n++] = (struct conf_pair){ "name", id->text, false };
	v[n++] = (struct conf_pair){ "link", rule->link, false };
	v[n++] = (struct conf_pair){ identity_key(id), id->text, false };
	if (rule->profile)
		v[n++] = (struct conf_pair){ "profile", rule->profile, false };
	if (rule->ep && !expand(ep, rule->ep, id->text)) {
		refuse_for(r, "its endpoint name would not have 1 to 128 octets");
		return 0;
	}
	if (rule->ep)
		v[n++] = (struct conf_pair){ "ep", ep, false };
	if (key)
		v[n++] = (struct conf_pair){ "psk_key", key, false };
	for (size_t i = 0; i < rule->servers.n; i++)
		v[n++] = (struct conf_pair){ "servers", rule->servers.v[i], true };
	return n;
}

static struct device_conf *make_record(const struct rule_conf *rule, const struct link_identity *id, struct refusal *r)
{
	struct conf_pair *v = calloc(rule->servers.n + MORE_PAIRS, sizeof *v);
	struct pair_texts texts;
	void *c = NULL;
	size_t n = v ? make_pairs(v, rule, id, &texts, r) : 0;

	if (n && conf_record_new(&c, device_items, sizeof(struct device_conf), r->s->conf_dir, v, n, refuse_for, r))
		c = NULL;
	free(v);
	return c;
}

/* Nobody else has its name, identity or endpoint name, in effect or on the way. */
static bool is_free(struct sessions *s, const struct device_conf *c, struct refusal *r)
{
	char why[160];

	if (device_check(c, &s->lists, refuse_key, r))
		return false;
	if (sessions_find(s, c->head.name))
		refuse_for(r, "a device has this name and another identity");
	else if (sessions_record_overruled(s, c->head.name, why, sizeof why))
		refuse_for(r, "its stored record is not in effect");
	else if (c->ep && sessions_find_ep(s, c->ep, strlen(c->ep)))
		refuse_for(r, "its endpoint name is another device's");
	else if (s->import && import_has(s->import, c))
		refuse_for(r, "it is being imported");
	else
		return true;
	return false;
}

/* The file with its key is there and in order; asked last, for it costs a look at the disk. */
static bool has_key(const struct device_conf *c, struct refusal *r)
{
	return conf_record_files(device_items, c, refuse_for, r) && !keys_check_files(c, refuse_key, r);
}

/* Among the devices and into the store; c is taken. NULL: it cannot be now. */
static struct device *keep(struct sessions *s, struct device_conf *c)
{
	size_t len = 0;
	char *text = record_text(c, &len);
	struct device *d = text ? record_place(s, c) : NULL;

	if (!text)
		free(c);
	if (d && !d->at) {
		device_remove(d, true);
		d = NULL;
	}
	if (d && s->env.store)
		store_put(s->env.store, STORE_DEVICE, device_name(d), strlen(device_name(d)), text, len);
	if (d && keeps(d))
		fresh_begin(d);
	free(text);
	return d;
}

static struct device *make_device(struct sessions *s, struct link *l, const struct link_identity *id,
				  struct device_conf *c)
{
	struct device *d = keep(s, c);

	if (!d) {
		overruled_drop(s, id->text); /* nobody has stored it */
		count(s, C_RULE_LATER);
		l->unknown_later = true;
		return NULL;
	}
	count(s, C_RULE_MADE);
	log_ev(LOG_INFO, ROOM, "device.provisioned", LF_STR("dev", device_name(d)), LF_STR("link", d->conf->link),
	       LF_STR("ep", d->conf->ep));
	return d;
}

struct device *rule_provision(struct sessions *s, struct link *l, const struct link_identity *id)
{
	const struct rule_conf *rule = find_rule(s, l, id->text);
	struct refusal r = { s, id->text, false };
	struct device_conf *c;

	if (!rule) {
		log_ev(LOG_DEBUG, ROOM, "device.unknown", LF_STR("link", l->conf->head.name),
		       LF_STR("identity", id->text));
		return NULL;
	}
	c = make_record(rule, id, &r);
	if (!c)
		return NULL;
	if (!is_free(s, c, &r)) {
		free(c);
		return NULL;
	}
	if (s->names.count >= RULE_DEVICES_MOST) {
		refuse_for(&r, "there are too many devices");
	} else if (!within_rate(s) || (s->env.store && !store_is_usable(s->env.store))) {
		count(s, C_RULE_LATER);
		l->unknown_later = true;
	} else if (has_key(c, &r)) {
		return make_device(s, l, id, c);
	}
	free(c);
	return NULL;
}
