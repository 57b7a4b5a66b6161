/* SPDX-License-Identifier: Apache-2.0 */
/* mirrored.c - wiring of what devices report: sessions, the mirror, plug-ins; and the gateway's own requests */
#include <errno.h>

#include "gateway_parts.h"
#include "session/ask.h"

static void on_report(void *arg, const struct report *r)
{
	struct gateway *g = arg;

	plugins_post_record(g->plugins, r);
}

/* Plug-ins come and go by themselves; without one that takes reports none are made. */
static void on_pass(void *arg)
{
	struct gateway *g = arg;

	mirror_listen(g->mirror, plugins_want(g->plugins, PLUGINS_RECORD));
}

int mirrored_open(struct gateway *g)
{
	const struct mirror_env env = { g->metrics, on_report, g };
	int err = mirror_new(&g->mirror, &env);

	if (err)
		return err;
	mirror_set_registry(g->mirror, g->registry);
	g->mirror_pass = (struct loop_hook){ .fn = on_pass, .arg = g };
	loop_hook_add(g->loop, &g->mirror_pass);
	return 0;
}

int mirrored_ask(struct gateway *g)
{
	int err = north_local_open(&g->own, g->north, &ask_server_conf, ask_server_recv);

	return err ? err : sessions_set_own_server(g->sessions, g->own);
}

void mirrored_close(struct gateway *g)
{
	if (g->mirror)
		loop_hook_remove(g->loop, &g->mirror_pass);
	mirror_free(g->mirror);
	north_server_close(g->own);
}
