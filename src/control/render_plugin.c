/* SPDX-License-Identifier: Apache-2.0 */
/* render_plugin.c - the plug-ins: which run, and what they did not take */
#include "control/inside.h"
#include "control/render.h"
#include "plugin/plugins.h"

static void add_plugin(void *arg, const struct plugin_status *s)
{
	json_t *o = json_object();

	render_set_text(o, "name", s->name);
	render_set_text(o, "plugin", s->plugin);
	render_set_text(o, "version", s->version);
	render_set_text(o, "state", s->state);
	render_set_text(o, "reason", s->reason);
	render_set_text(o, "isolation", s->inline_ ? "inline" : "process");
	if (s->pid)
		render_set_uint(o, "pid", (uint64_t)s->pid);
	render_set_uint(o, "queued", s->queued);
	render_set_uint(o, "dropped", s->dropped);
	render_set_uint(o, "restarts", s->restarts);
	json_array_append_new(arg, o);
}

json_t *render_plugin_list(const struct control *c)
{
	json_t *list = json_array();

	if (list && c->env.plugins)
		plugins_each(c->env.plugins, add_plugin, list);
	return list;
}

static void add_name(void *arg, const struct plugin_status *s)
{
	json_t *o = json_object();

	render_set_text(o, "name", s->name);
	render_set_text(o, "plugin", s->plugin);
	render_set_text(o, "version", s->version);
	render_set_text(o, "state", s->state);
	json_array_append_new(arg, o);
}

json_t *render_plugin_names(const struct control *c)
{
	json_t *list = json_array();

	if (list && c->env.plugins)
		plugins_each(c->env.plugins, add_name, list);
	return list;
}

json_t *render_plugins(const struct control *c, uint64_t from, size_t limit)
{
	return render_slice(render_plugin_list(c), from, limit);
}
