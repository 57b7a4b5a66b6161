/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - the list plugins: common keys, checks, and the values of an instance's own keys */
#include "plugin/conf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/find.h"

static const char *const isolation_words[] = { "process", "inline", NULL };

/* clang-format off: one entry is one key */
#define P struct plugin_conf
const struct conf_item plugin_items[] = { CONF_TEXT(P, plugin, NULL,
						    .help = "Library of the plug-in, NAME.so in the plug-in directory; "
							    "absent: that of the block's name. So one can run twice."),
					  CONF_WORD(P, isolation, "process", isolation_words,
						    .help = "In a process of its own, or in the daemon, where a fault "
							    "of it is one of the daemon: only for plug-ins of this "
							    "project."),
					  CONF_TEXTS(P, commands,
						     .help = "Commands that come through this plug-in and may change "
							     "something (reload, read, write, execute ..); those that "
							     "only show what the gateway knows are always allowed."),
					  CONF_END };
#undef P
/* clang-format on */

static const struct conf_item *more_of(struct conf_load *load, const char *what, size_t *size)
{
	struct describer *d = conf_arg(load);
	const struct description *of = d && *what ? describer_get(d, what) : NULL;

	if (!of || of->refused)
		return NULL;
	*size = of->size;
	return of->items;
}

static const struct conf_item *more_each(void *arg, size_t i, const char **what)
{
	const struct description *of = arg ? describer_nth(arg, 0) : NULL;

	for (size_t k = 1; of && (of->refused || i--); k++)
		of = describer_nth(arg, k);
	*what = of ? of->library : NULL;
	return of ? of->items : NULL;
}

const struct conf_more plugin_more = { "plugin", more_of, more_each };

static void check_library(struct conf_load *load, const struct plugin_conf *c)
{
	struct describer *d = conf_arg(load);
	const struct description *of = d && *plugin_library(c) ? describer_get(d, plugin_library(c)) : NULL;

	if (of && of->refused && describer_is_strict(d))
		conf_fault(load, c, c->plugin ? "plugin" : "name", -1, "the plug-in is refused: %s", of->refused);
}

void plugins_check(struct conf_load *load, const struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct plugin_conf *c = list->v[i];

		if (strchr(plugin_name(c), '/'))
			continue; /* that is said already */
		if (*plugin_name(c) == '.')
			conf_fault(load, c, "name", -1, "the name of a plug-in cannot begin with a dot");
		if (c->isolation == PLUGIN_INLINE && !find_is_ours(plugin_library(c)))
			conf_fault(load, c, "isolation", -1,
				   "only plug-ins of this project may run in the daemon, not \"%.64s\"",
				   plugin_library(c));
		check_library(load, c);
	}
}

/* ---- values ---- */

static void tell(const struct conf_item *it, const char *text, plugin_setting_fn *fn, void *arg)
{
	if (text)
		fn(arg, it->name, &text, 1);
}

void plugin_settings(const struct plugin_conf *c, plugin_setting_fn *fn, void *arg)
{
	for (const struct conf_item *it = c->more.more; it && it->type != CONF_TYPE_END; it++) {
		const void *at = (const char *)c + it->offset;
		const struct conf_texts *list = at;
		char number[32];

		switch (it->type) {
		case CONF_TYPE_INT:
			snprintf(number, sizeof number, "%" PRId64, *(const int64_t *)at);
			tell(it, (double)*(const int64_t *)at >= it->least ? number : NULL, fn, arg);
			break;
		case CONF_TYPE_BOOL:
			tell(it, *(const bool *)at ? "true" : "false", fn, arg);
			break;
		case CONF_TYPE_WORD:
			tell(it, *(const int *)at >= 0 ? it->words[*(const int *)at] : NULL, fn, arg);
			break;
		case CONF_TYPE_TEXTS:
			if (list->n)
				fn(arg, it->name, list->v, list->n);
			break;
		default:
			tell(it, *(const char *const *)at, fn, arg);
			break;
		}
	}
}
