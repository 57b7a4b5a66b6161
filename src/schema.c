/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - the root of the configuration: which room reads which group and list */
#include "gateway.h"

#include "control/command.h"
#include "plugin/conf.h"
#include "wiring.h"

#define R struct root_conf
static const struct conf_item root_items[] = {
	CONF_GROUP(R, gateway, gateway_items, .reload = CONF_RESTART, .help = "this gateway and its directories"),
	CONF_GROUP(R, admin, admin_items, .help = "metrics, health and status for this machine"),
	CONF_GROUP(R, log, log_items, .help = "lines on standard error"),
	CONF_GROUP(R, north, north_items, .reload = CONF_RESTART, .help = "sockets towards servers"),
	CONF_GROUP(R, store, store_items, .help = "what survives a restart: journal and state in gateway.state_dir"),
	CONF_LIST(R, links, link_items, struct link_conf, .variants = link_variants,
		  .help = "where devices are reached"),
	CONF_LIST(R, servers, server_items, struct server_conf, .help = "LwM2M servers"),
	CONF_LIST(R, profiles, profile_items, struct profile_conf, .help = "what kinds of device there are"),
	CONF_LIST(R, devices, device_items, struct device_conf, .help = "device records"),
	CONF_LIST(R, rules, rule_items, struct rule_conf, .unnamed = true,
		  .help = "provisioning on first contact: the first rule that matches an unknown identity makes a "
			  "device of it"),
	CONF_LIST(R, plugins, plugin_items, struct plugin_conf, .more = &plugin_more,
		  .help = "where reports are mirrored to, each in a process of its own"),
	CONF_LATER("dialects", .help = "AT dialects of the site"),
	CONF_END,
};
#undef R

/* One that is misspelled would be forbidden for ever, silently. */
static void check_commands(struct conf_load *load, const struct conf_list *plugins)
{
	for (size_t i = 0; i < plugins->n; i++) {
		const struct plugin_conf *c = plugins->v[i];

		for (size_t k = 0; k < c->commands.n; k++)
			if (!command_is_known(c->commands.v[k]))
				conf_fault(load, c, "commands", (int)k, "there is no command \"%.64s\"",
					   c->commands.v[k]);
	}
}

static void root_check(struct conf_load *load, void *root)
{
	struct root_conf *r = root;
	const struct session_lists lists = { &r->links, &r->servers, &r->profiles, &r->devices, &r->rules };

	control_check(load, &r->gateway, &r->admin);
	north_check(load, &r->north, &r->servers);
	for (size_t i = 0; i < r->links.n; i++) {
		const struct link_conf *c = r->links.v[i];
		const struct link_ops *ops = link_ops_of(c);

		if (ops && ops->check)
			ops->check(load, c, &r->links);
	}
	session_check(load, &lists);
	plugins_check(load, &r->plugins);
	check_commands(load, &r->plugins);
}

const struct conf_schema gateway_schema = { root_items, sizeof(struct root_conf), root_check, NULL };
