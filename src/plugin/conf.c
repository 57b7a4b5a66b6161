/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - the list plugins: common keys, checks, and the values of an instance's own keys */
#include "plugin/conf.h"

#include <ctype.h>
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

/* ---- keys of its own that no type of the configuration checks ---- */

static bool is_port(const char *text)
{
	unsigned long v = 0;

	for (; isdigit((unsigned char)*text) && v <= UINT16_MAX; text++)
		v = v * 10 + (unsigned long)(*text - '0');
	return v && v <= UINT16_MAX && (!*text || !strcmp(text, "/"));
}

/* HOST, HOST:PORT, [V6]:PORT; a slash may end it. */
static bool is_authority(const char *text)
{
	const char *end = *text == '[' ? strchr(text, ']') : text + strcspn(text, ":/");

	if (!end || end == text + (*text == '[') || strcspn(text, " @?#") < (size_t)(end - text))
		return false;
	end += *end == ']';
	return !*end || !strcmp(end, "/") || (*end == ':' && is_port(end + 1));
}

static bool is_url(const char *text, const char *const *schemes)
{
	for (; *schemes; schemes++) {
		size_t n = strlen(*schemes);

		if (!strncmp(text, *schemes, n) && !strncmp(text + n, "://", 3))
			return is_authority(text + n + 3);
	}
	return false;
}

static void check_urls(struct conf_load *load, const struct plugin_conf *c)
{
	for (const struct conf_item *it = c->more.more; it && it->type != CONF_TYPE_END; it++) {
		const char *text;

		if (it->type != CONF_TYPE_TEXT || !it->words)
			continue;
		text = *(const char *const *)((const char *)c + it->offset);
		if (text && !is_url(text, it->words))
			conf_fault(load, c, it->name, -1, "\"%.64s\" is no %s://HOST[:PORT]", text, it->words[0]);
	}
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
		check_urls(load, c);
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
