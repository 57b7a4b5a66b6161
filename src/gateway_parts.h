/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_parts.h - what the files of the gateway object share */
#ifndef NIDDGW_GATEWAY_PARTS_H
#define NIDDGW_GATEWAY_PARTS_H

#include "base/alarm.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "control/control.h"
#include "gateway.h"
#include "lwm2m/registry.h"
#include "mirror/mirror.h"
#include "plugin/plugins.h"
#include "session/session.h"
#include "wiring.h"

#define ROOM "main"

struct opened { /* what is open under one configuration */
	struct link **links;
	struct north_server **servers; /* those configured, then the targets of proxy_allow */
	size_t links_n, servers_n, proxies_n;
};

struct gateway {
	const char *file;
	const struct conf_schema *schema; /* of the configuration; borrowed */
	struct conf *conf; /* owned */
	struct root_conf *root;
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	struct lwm2m_registry *registry; /* names, types and units of what devices report */
	struct events *events; /* the latest, from the log */
	struct store *store;
	struct sessions *sessions;
	struct north *north;
	struct plugins *plugins;
	struct mirror *mirror;
	struct loop_hook mirror_pass;
	struct north_server *own; /* the gateway as a server of its devices */
	struct control *control;
	struct opened open;
	struct link_env link_env;
	struct north_env north_env;
	struct t8_shared *t8; /* of the t8 links, which make and free it */
	struct timer drain;
	uint64_t drain_until_ms;
	uint8_t key[32];
	char id[GATEWAY_ID_MAX];
	char *state_dir; /* owned: that of the start, which no reload changes */
	bool verbose, stopping;
};

/* ---- gateway.c ---- */
int gateway_show(struct gateway *g); /* what is open now, to the control room */
void gateway_set_log(const struct gateway *g);

/* ---- opened.c ---- */
int opened_init(struct opened *s, const struct root_conf *r); /* room for what r names; -ENOMEM */
void opened_close(struct opened *s, const struct opened *keep, bool stop); /* what is not in keep (NULL: all), and frees the arrays */
struct link *opened_link(const struct opened *s, const char *name); /* NULL: none */
/* The servers of r: those of old where name and URI are the same, else new ones. 0 or a negative errno (logged). */
int opened_servers(struct gateway *g, struct opened *to, const struct opened *old, const struct root_conf *r);
int opened_add_link(struct gateway *g, struct opened *to, const struct link_conf *c); /* opens it; 0 or a negative errno (logged) */
int opened_configure(struct gateway *g, const struct opened *s, struct conf *conf, struct sessions_change *change); /* tells sessions */

/* ---- registry.c ---- */
/* The compiled table and objects.d beside main_file. 0; -EINVAL: objects.d has faults, printed as FILE:LINE: text; -ENOMEM. */
int registry_open(struct lwm2m_registry **out, const char *main_file, FILE *faults);

/* ---- mirrored.c ---- */
int mirrored_open(struct gateway *g);  /* between plug-ins and sessions */
int mirrored_ask(struct gateway *g);   /* when sessions and north are open */
void mirrored_close(struct gateway *g); /* behind sessions, before north */

/* ---- reload.c ---- */
int gateway_reload(void *gateway, FILE *report);

#endif
