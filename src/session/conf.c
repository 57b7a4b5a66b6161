/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - keys of profiles, devices and rules, and what must hold between them and the rest */
#include "session/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/map.h"
#include "base/text.h"
#include "coap/proxy.h"
#include "link/link.h"
#include "lwm2m/path.h"
#include "north/north.h"
#include "session/window.h"

#define UNIT_TEXT_MOST 63

static const char *const queue_words[] = { "gateway", "scef", "off", NULL };
static const char *const block_words[] = { "pass", "clamp", "assemble", "refuse", NULL };
static const char *const oscore_words[] = { "auto", "require", "off", NULL };
static const char *const dtls_words[] = { "relay", "terminate", "off", NULL };

/* clang-format off: one line per key, as in the manual */
#define P struct profile_conf
const struct conf_item profile_items[] = {
	CONF_UINT(P, mtu, 1358, 64, 1600, .unit = "octets", .help = "largest unit towards and from the device"),
	CONF_UINT(P, ack_timeout_s, 15, 1, 300, .unit = "s", .help = "ACK_TIMEOUT of the south leg"),
	CONF_UINT(P, max_retransmit, 4, 0, 8, .help = "MAX_RETRANSMIT of the south leg"),
	CONF_UINT(P, nstart, 1, 1, 16, .help = "confirmable requests to the device in flight at once"),
	CONF_REAL(P, empty_ack_at, 0.6, 0.05, 1,
		  .help = "part of ack_timeout_s after which an empty ACK leaves when there is no answer"),
	CONF_UINT(P, awake_window_s, AWAKE_WINDOW_ABSENT, 0, 86400, .unit = "s",
		  .help = "how long the device listens after it was heard; absent: always, or 93 s when its "
			  "registration carries Q"),
	CONF_WORD(P, queue, "gateway", queue_words, .help = "who keeps requests for a device that is not reachable"),
	CONF_UINT(P, queue_max, 64, 1, 200, .help = "requests on their way to the device; above it 4.29"),
	CONF_BOOL(P, queue_execute, false, .help = "whether Execute may wait for a sleeper; without it 5.03 at once"),
	CONF_UINT(P, units_per_window, 0, 1, 100000,
		  .help = "units towards the device in any window_s, ACKs included; absent: unlimited"),
	CONF_UINT(P, window_s, 0, 1, WINDOW_SPAN_MAX_S, .unit = "s",
		  .help = "span of that budget, given together with it; absent: unlimited"),
	CONF_UINT(P, quota_units_per_min, 600, 1, 10000000, .unit = "1/min",
		  .help = "units taken from the device; above it CON requests get 4.29 and the rest is dropped"),
	CONF_WORD(P, block, "assemble", block_words,
		  .help = "what does not fit the link: cut into blocks that do (assemble), only what comes in blocks "
			  "already (clamp), not at all (pass); "
			  "refuse takes no blocks"),
	CONF_WORD(P, oscore, "auto", oscore_words,
		  .help = "OSCORE messages pass unchanged (auto); nothing else passes but key exchange by EDHOC "
			  "(require); they are refused (off)"),
	CONF_WORD(P, dtls, "relay", dtls_words, .unbuilt = 1u << DTLS_TERMINATE,
		  .help = "DTLS records of the device: pass unchanged to the first of its servers that is reached by "
			  "coaps (relay), or are dropped"),
	CONF_BOOL(
		P, oscore_reblock, false,
		.help = "whether the device takes messages protected by OSCORE in blocks (outer block-wise transfer)"),
	CONF_TEXTS(P, proxy_allow,
		   .help = "where a device may ask to be proxied to: coap://HOST[:PORT] or coap+tcp://HOST[:PORT], "
			   "compared "
			   "as they stand; a name must not lead to a private or reserved address, an address is taken "
			   "as it is"),
	CONF_END,
};
#undef P

static const struct profile_conf builtin = {
	.mtu = 1358,
	.ack_timeout_s = 15,
	.max_retransmit = 4,
	.nstart = 1,
	.empty_ack_at = 0.6,
	.queue = QUEUE_GATEWAY,
	.block = BLOCK_ASSEMBLE,
	.oscore = OSCORE_AUTO,
	.queue_max = 64,
	.quota_units_per_min = 600,
	.awake_window_s = AWAKE_WINDOW_ABSENT,
};
const struct profile_conf *profile_builtin(void)
{
	return &builtin;
}

#define O struct oscore_conf
static const struct conf_item oscore_items[] = {
	CONF_TEXT(O, server, NULL, .help = "where requests with this kid go; absent: as others of the device"),
	CONF_TEXT(O, kid, NULL, .required = true, .help = "Sender ID of the device, hexadecimal"),
	CONF_TEXT(O, kid_context, NULL,
		  .help = "ID Context, hexadecimal; absent: any. A request that carries none is judged by its kid"),
	CONF_END,
};
#undef O

#define D struct device_conf
const struct conf_item device_items[] = {
	CONF_TEXT(D, link, NULL, .required = true, .reload = CONF_DEVICE, .help = "name of the link that reaches it"),
	CONF_TEXT(D, external_id, NULL, .reload = CONF_DEVICE, .help = "identity on a t8 link: local@domain"),
	CONF_TEXT(D, msisdn, NULL, .reload = CONF_DEVICE, .help = "identity on a t8 link: digits"),
	CONF_TEXT(D, address, NULL, .reload = CONF_DEVICE,
		  .help = "identity on a udp link: HOST (whatever port it sends from) or HOST:PORT"),
	CONF_TEXT(D, profile, NULL, .help = "name of a profile; the built-in one when absent"),
	CONF_TEXT(D, ep, NULL,
		  .help = "endpoint name: checked when the device gives one, inserted north when it does not"),
	CONF_TEXTS(D, servers,
		   .help = "servers it may talk to, the first is the default; the first management server when absent"),
	CONF_TEXTS(D, units,
		   .help = "units of its values where neither it nor the registry tells the right one: PATH=UNIT such as "
			   "/3303/0/5700=Cel; a unit that the device reports itself comes first"),
	CONF_LATER("cid", .help = "identity on a modem link"),
	CONF_TEXT(D, bootstrap_server, NULL,
		  .help = "server of role bootstrap that its Bootstrap-Requests go to; the first of that role when "
			  "absent"),
	CONF_TEXT(D, psk_identity, NULL,
		  .help = "identity towards servers with security psk; absent: ep, or the name when there is no ep "
			  "here"),
	CONF_SECRET(D, psk_key, .help = "key for it: a file with one line of hexadecimal"),
	CONF_FILE(D, cert_file,
		  .help = "certificate chain towards servers with security x509, PEM; the server's when absent"),
	CONF_KEYFILE(D, key_file, .help = "its private key, PEM"),
	CONF_LIST(
		D, oscore, oscore_items, struct oscore_conf, .unnamed = true,
		.help = "OSCORE identities; with a list, a request with another kid is refused. In records and CSV an "
			"entry is SERVER/KID or SERVER/KID/KID_CONTEXT"),
	CONF_END,
};
#undef D

#define R struct rule_conf
const struct conf_item rule_items[] = {
	CONF_TEXT(R, link, NULL, .required = true, .help = "name of the link that the device is heard on"),
	CONF_TEXT(R, match, "*",
		  .help = "glob on the network identity: * any octets, ? one, [a-z] one of them; the first rule that "
			  "matches counts"),
	CONF_TEXT(R, profile, NULL, .help = "name of a profile; the built-in one when absent"),
	CONF_TEXTS(R, servers,
		   .help = "servers the device may talk to, the first is the default; the first management server when "
			   "absent"),
	CONF_TEXT(R, ep, NULL,
		  .help = "endpoint name: text with {identity}, {local} and {domain} (the parts around @) in it; "
			  "absent: as the device registers"),
	CONF_FILE(
		R, psk_key_dir,
		.help = "directory with the psk_key of each device that the rule makes, as NAME.key, where NAME is the "
			"network identity; the psk_identity is ep or NAME"),
	CONF_END,
};
#undef R
/* clang-format on */

/* ---- across keys ---- */

static const void *find_named(const struct conf_list *l, const char *name)
{
	for (size_t i = 0; name && l && i < l->n; i++) {
		const struct conf_head *h = l->v[i];

		if (h->name && strcmp(h->name, name) == 0)
			return h;
	}
	return NULL;
}

/* Seen texts, to find the second use of one. */
struct seen {
	struct map_node node;
	const char *space, *text;
	char *own; /* owned; text in the one form that all ways to write it have */
	const struct device_conf *dev;
};
struct seen_key {
	const char *space, *text;
};

static bool seen_equal(const struct map_node *n, const void *key, size_t len)
{
	const struct seen *s = container_of(n, struct seen, node);
	const struct seen_key *k = key;

	(void)len;
	return strcmp(s->space, k->space) == 0 && strcmp(s->text, k->text) == 0;
}

/* The device that used text before in this space (a link, or the endpoint names); NULL: the first, now remembered. */
static const struct device_conf *seen_before(struct map *m, struct seen *slot, const char *space, const char *text,
					     const struct device_conf *d)
{
	struct seen_key k = { space, text };
	uint64_t hash = map_hash(text, strlen(text)) ^ map_hash(space, strlen(space));
	struct map_node *n = map_find(m, hash, seen_equal, &k, sizeof k);

	if (n)
		return container_of(n, struct seen, node)->dev;
	slot->space = space;
	slot->text = text;
	slot->dev = d;
	(void)map_add(m, &slot->node, hash);
	return NULL;
}

struct identity_key {
	const char *key, *text;
};

static unsigned identities(const struct device_conf *d, struct identity_key *id)
{
	const struct identity_key all[] = { { "external_id", d->external_id },
					    { "msisdn", d->msisdn },
					    { "address", d->address } };
	unsigned n = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].text) {
			*id = all[i];
			n++;
		}
	return n;
}

static bool is_external_id(const char *s)
{
	const char *at = strchr(s, '@');

	return at && at != s && at[1] && !strchr(at + 1, '@') && strlen(s) <= 254;
}

static bool is_msisdn(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n >= 1 && n <= 15 && !s[n];
}

struct checking {
	device_fault_fn *fault;
	void *arg;
	unsigned faults;
};

__attribute__((format(printf, 4, 5))) static void tell(struct checking *c, const char *key, int index, const char *fmt,
						       ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->faults++;
	c->fault(c->arg, key, index, text);
}

static void check_identity(struct checking *c, const struct link_conf *l, const struct identity_key *id)
{
	const char *type = l->type < 0 ? "" : link_type_words[l->type]; /* a wrong word is a fault of its own */
	bool t8 = strcmp(type, "t8") == 0, udp = strcmp(type, "udp") == 0;
	struct addr a;

	if ((t8 && strcmp(id->key, "address") == 0) || (udp && strcmp(id->key, "address") != 0))
		tell(c, id->key, -1, "is no identity on link \"%s\", which is of type %s", l->head.name, type);
	else if (strcmp(id->key, "external_id") == 0 && !is_external_id(id->text))
		tell(c, "external_id", -1, "\"%s\" is not of the form local@domain", id->text);
	else if (strcmp(id->key, "msisdn") == 0 && !is_msisdn(id->text))
		tell(c, "msisdn", -1, "\"%s\" is not a number of 1 to 15 digits without +", id->text);
	else if (strcmp(id->key, "address") == 0 && addr_parse(&a, id->text, false))
		tell(c, "address", -1, "\"%s\" is not HOST or HOST:PORT with a numeric address", id->text);
}

/* What devices and rules both refer to. */
static void check_refs(struct checking *c, const struct session_lists *all, const char *link, const char *profile,
		       const struct conf_texts *servers)
{
	if (link && !find_named(all->links, link))
		tell(c, "link", -1, "no link is named \"%s\"", link);
	if (profile && !find_named(all->profiles, profile))
		tell(c, "profile", -1, "no profile is named \"%s\"", profile);
	for (size_t i = 0; i < servers->n; i++)
		if (!find_named(all->servers, servers->v[i]))
			tell(c, "servers", (int)i, "no server is named \"%s\"", servers->v[i]);
	if (!servers->n && (!all->servers || !all->servers->n))
		tell(c, NULL, -1, "there is no server for it");
}

static void check_bootstrap(struct checking *c, const struct session_lists *all, const char *name)
{
	const struct server_conf *srv = find_named(all->servers, name);

	if (name && !srv)
		tell(c, "bootstrap_server", -1, "no server is named \"%s\"", name);
	else if (srv && srv->role != SERVER_BOOTSTRAP)
		tell(c, "bootstrap_server", -1, "server \"%s\" is not of role bootstrap", name);
}

static void check_hex(struct checking *c, int index, const char *what, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (text && (len % 2 || len > 2 * KID_MAX || strspn(text, "0123456789abcdefABCDEF") != len))
		tell(c, "oscore", index, "%s \"%.140s\" is not 0 to %d octets in hexadecimal", what, text, KID_MAX);
}

static bool same_hex(const char *a, const char *b)
{
	return a && b ? strcasecmp(a, b) == 0 : a == b;
}

static void check_oscore(struct checking *c, const struct session_lists *all, const struct conf_list *list)
{
	if (list->v && !list->n) { /* S33: it would let every kid pass */
		tell(c, "oscore", -1, "is empty: name the kids of the device, or leave it out");
		return;
	}
	if (list->n > OSCORE_MAX) {
		tell(c, "oscore", -1, "has more than %d entries", OSCORE_MAX);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct oscore_conf *o = list->v[i];

		if (o->server && *o->server && !find_named(all->servers, o->server))
			tell(c, "oscore", (int)i, "no server is named \"%s\"", o->server);
		check_hex(c, (int)i, "kid", o->kid);
		check_hex(c, (int)i, "kid_context", o->kid_context);
		for (size_t k = 0; k < i; k++) {
			const struct oscore_conf *other = list->v[k];

			if (o->kid && same_hex(o->kid, other->kid) && same_hex(o->kid_context, other->kid_context))
				tell(c, "oscore", (int)i, "kid \"%s\" stands in the list twice", o->kid);
		}
	}
}

static void check_units(struct checking *c, const struct conf_texts *units)
{
	for (size_t i = 0; i < units->n; i++) {
		const char *text = units->v[i], *equals = strchr(text, '=');
		struct lwm2m_path p;

		if (!equals || lwm2m_path_parse(&p, NULL, text, (size_t)(equals - text), NULL) || p.depth < 3 || !equals[1] ||
		    strlen(equals + 1) > UNIT_TEXT_MOST || !text_is_printable(equals + 1, strlen(equals + 1)))
			tell(c, "units", (int)i, "\"%s\" is not of the form /OBJECT/INSTANCE/RESOURCE=UNIT", text);
	}
}

unsigned device_check(const struct device_conf *d, const struct session_lists *all, device_fault_fn *fault, void *arg)
{
	struct checking c = { fault, arg, 0 };
	const struct link_conf *l = find_named(all->links, d->link);
	struct identity_key id;
	unsigned n = identities(d, &id);

	check_refs(&c, all, d->link, d->profile, &d->servers);
	if (n != 1)
		tell(&c, NULL, -1,
		     n ? "has more than one identity" : "has no identity: external_id, msisdn or address");
	else if (l)
		check_identity(&c, l, &id);
	if (d->ep && (!*d->ep || strlen(d->ep) > 128))
		tell(&c, "ep", -1, "must have 1 to 128 octets");
	check_bootstrap(&c, all, d->bootstrap_server);
	check_units(&c, &d->units);
	check_oscore(&c, all, &d->oscore);
	return c.faults + keys_check(d, all, fault, arg);
}

struct file_fault {
	struct conf_load *load;
	const void *elem;
};

static void tell_file(void *arg, const char *key, int index, const char *text)
{
	const struct file_fault *f = arg;

	conf_fault(f->load, f->elem, key, index, "%s", text);
}

/* An IPv6 address has many forms. */
static const char *identity_text(struct seen *slot, const struct identity_key *id)
{
	char text[ADDR_TEXT_MAX];
	struct addr written, plain;

	if (strcmp(id->key, "address") != 0 || addr_parse(&written, id->text, false))
		return id->text;
	addr_from(&plain, &written.u.sa, written.len);
	addr_format(&plain, text, sizeof text);
	slot->own = strdup(text);
	return slot->own ? slot->own : id->text;
}

static void check_unique(struct conf_load *load, const struct conf_list *devices)
{
	struct seen *slots = calloc(devices->n * 2 + 1, sizeof *slots);
	struct map m = { 0 };

	for (size_t i = 0; slots && i < devices->n; i++) {
		const struct device_conf *d = devices->v[i], *other;
		struct identity_key id;

		if (d->link && identities(d, &id) == 1 &&
		    (other = seen_before(&m, &slots[2 * i], d->link, identity_text(&slots[2 * i], &id), d)))
			conf_fault(load, d, id.key, -1, "\"%s\" is the identity of \"%s\" at %s:%u already", id.text,
				   other->head.name, other->head.at.file, other->head.at.line);
		if (d->ep && (other = seen_before(&m, &slots[2 * i + 1], "", d->ep, d)))
			conf_fault(load, d, "ep", -1, "\"%s\" is the endpoint name of \"%s\" at %s:%u already", d->ep,
				   other->head.name, other->head.at.file, other->head.at.line);
	}
	map_fini(&m);
	for (size_t i = 0; slots && i < devices->n * 2; i++)
		free(slots[i].own);
	free(slots);
}

/* A target is a host and a port; with a key of its own or without one nobody could say whose, so no DTLS or TLS. */
static void check_proxy(struct conf_load *load, const struct profile_conf *p, int i)
{
	const char *text = p->proxy_allow.v[i];
	struct server_uri known;
	struct coap_uri u;

	if (coap_uri_parse(&u, text, strlen(text)) || u.path_n || u.query_n ||
	    (strcmp(u.scheme, "coap") != 0 && strcmp(u.scheme, "coap+tcp") != 0))
		conf_fault(load, p, "proxy_allow", i, "\"%s\" is neither coap://HOST[:PORT] nor coap+tcp://HOST[:PORT]",
			   text);
	else if (server_uri_parse(&known, text))
		conf_fault(load, p, "proxy_allow", i, "the scheme of \"%s\" is not built in this version", text);
}

static void check_profile(struct conf_load *load, const struct profile_conf *p)
{
	for (size_t i = 0; i < p->proxy_allow.n; i++)
		check_proxy(load, p, (int)i);
	if (!p->units_per_window != !p->window_s)
		conf_fault(load, p, p->window_s ? "window_s" : "units_per_window", -1,
			   "units_per_window and window_s are given together or not at all");
}

/* Every { begins one of the three words. */
static bool is_template(const char *ep)
{
	static const char *const words[] = { "{identity}", "{local}", "{domain}" };

	for (; (ep = strpbrk(ep, "{}")); ep++) {
		size_t i = 0;

		while (i < 3 && strncmp(ep, words[i], strlen(words[i])) != 0)
			i++;
		if (i == 3)
			return false;
		ep = strchr(ep, '}');
	}
	return true;
}

static void check_rule(struct conf_load *load, const struct rule_conf *r, const struct session_lists *all)
{
	struct file_fault f = { load, r };
	struct checking c = { tell_file, &f, 0 };

	check_refs(&c, all, r->link, r->profile, &r->servers);
	if (!*r->match)
		tell(&c, "match", -1, "matches nothing");
	if (r->ep && (!*r->ep || strlen(r->ep) > 128))
		tell(&c, "ep", -1, "must have 1 to 128 octets");
	else if (r->ep && !is_template(r->ep))
		tell(&c, "ep", -1, "braces stand around identity, local or domain only");
	else if (r->ep && !strchr(r->ep, '{'))
		tell(&c, "ep", -1, "would be the same for every device: it needs {identity}, {local} or {domain}");
	(void)keys_check_rule(r, all, tell_file, &f);
}

void session_check(struct conf_load *load, const struct session_lists *all)
{
	for (size_t i = 0; i < all->profiles->n; i++)
		check_profile(load, all->profiles->v[i]);
	for (size_t i = 0; i < all->devices->n; i++) {
		struct file_fault f = { load, all->devices->v[i] };

		(void)device_check(f.elem, all, tell_file, &f);
		(void)keys_check_files(f.elem, tell_file, &f);
	}
	check_unique(load, all->devices);
	for (size_t i = 0; all->rules && i < all->rules->n; i++)
		check_rule(load, all->rules->v[i], all);
}
