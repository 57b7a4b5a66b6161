/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - what records and rules say of the keys of devices
 *
 * That a key is named wherever a server asks for one, and the device cannot have it itself, can be told of the records
 * alone, and is checked of all of them at every start. What is in the files is looked at where a record is new or stands in the files; a handshake reads them
 * again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "north/north.h"
#include "session/conf.h"

struct telling {
	device_fault_fn *fault;
	void *arg;
	unsigned faults;
};

__attribute__((format(printf, 3, 4))) static void tell(struct telling *t, const char *key, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	t->faults++;
	t->fault(t->arg, key, -1, text);
}

/* ---- servers that ask for one ---- */

static const struct server_conf *server_named(const struct session_lists *all, const char *name)
{
	for (size_t i = 0; name && all->servers && i < all->servers->n; i++) {
		const struct server_conf *s = all->servers->v[i];

		if (s->head.name && strcmp(s->head.name, name) == 0)
			return s;
	}
	return NULL;
}

static const struct server_conf *default_server(const struct session_lists *all)
{
	for (size_t i = 0; all->servers && i < all->servers->n; i++) {
		const struct server_conf *s = all->servers->v[i];

		if (s->role == SERVER_MANAGEMENT)
			return s;
	}
	return NULL;
}

static bool wants_psk(const struct server_conf *s)
{
	return s && s->uri && server_security(s) == SERVER_PSK;
}

/* The first of these servers that wants a key; NULL: none does. */
static const struct server_conf *psk_server(const struct session_lists *all, const struct conf_texts *names,
					    const char *bootstrap)
{
	const struct server_conf *s = names->n ? NULL : default_server(all);

	for (size_t i = 0; i < names->n && !wants_psk(s); i++)
		s = server_named(all, names->v[i]);
	if (!wants_psk(s))
		s = server_named(all, bootstrap);
	return wants_psk(s) ? s : NULL;
}

/* A device whose DTLS passes may have its key itself, and then its record has none. */
static bool may_pass(const struct session_lists *all, const char *profile)
{
	const struct profile_conf *p = profile ? NULL : profile_builtin();

	for (size_t i = 0; profile && !p && all->profiles && i < all->profiles->n; i++) {
		const struct profile_conf *one = all->profiles->v[i];

		p = one->head.name && strcmp(one->head.name, profile) == 0 ? one : NULL;
	}
	return !p || p->dtls == DTLS_RELAY; /* one that is not there is a fault already */
}

/* ---- devices ---- */

unsigned keys_check(const struct device_conf *d, const struct session_lists *all, device_fault_fn *fault, void *arg)
{
	const struct server_conf *s = d->psk_key ? NULL : psk_server(all, &d->servers, d->bootstrap_server);
	struct telling t = { fault, arg, 0 };

	if (s && (d->psk_identity || !may_pass(all, d->profile)))
		tell(&t, "psk_key", "\"%s\" has none, and server \"%s\" has security psk", d->head.name, s->head.name);
	if (d->psk_identity && (!*d->psk_identity || strlen(d->psk_identity) > NORTH_PSK_IDENTITY_MAX))
		tell(&t, "psk_identity", "must have 1 to %d octets", NORTH_PSK_IDENTITY_MAX);
	if (!d->cert_file != !d->key_file)
		tell(&t, d->cert_file ? "cert_file" : "key_file", "cert_file and key_file are given together");
	return t.faults;
}

unsigned keys_check_files(const struct device_conf *d, device_fault_fn *fault, void *arg)
{
	struct telling t = { fault, arg, 0 };
	char why[256];

	if (d->psk_key && north_check_psk(d->psk_key, why, sizeof why))
		tell(&t, "psk_key", "%s cannot be used: %s", d->psk_key, why);
	if (d->cert_file && d->key_file && north_check_pair(d->cert_file, d->key_file, why, sizeof why))
		tell(&t, "cert_file", "%s cannot be used with %s: %s", d->cert_file, d->key_file, why);
	return t.faults;
}

/* ---- rules ---- */

bool keys_rule_wants_psk(const struct rule_conf *r, const struct session_lists *all)
{
	return psk_server(all, &r->servers, NULL) != NULL;
}

unsigned keys_check_rule(const struct rule_conf *r, const struct session_lists *all, device_fault_fn *fault, void *arg)
{
	const struct server_conf *s = psk_server(all, &r->servers, NULL);
	struct telling t = { fault, arg, 0 };
	struct stat st;

	if (s && !r->psk_key_dir && !may_pass(all, r->profile))
		tell(&t, "psk_key_dir", "is needed: server \"%s\" has security psk", s->head.name);
	if (r->psk_key_dir && !stat(r->psk_key_dir, &st) && !S_ISDIR(st.st_mode))
		tell(&t, "psk_key_dir", "%s is not a directory", r->psk_key_dir);
	return t.faults;
}
