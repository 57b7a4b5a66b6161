/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_describe.c - what a library says of itself when the configuration asks: frames of a process that may be anything
 *
 * A table that is taken must be one that a configuration can be filled by: its defaults are put into a struct of its
 * size.
 */
#include <stdlib.h>

#include "config/config.h"
#include "plugin/conf.h"
#include "plugin/describe_parts.h"

struct root {
	struct conf_list plugins;
};

static const struct conf_item *of(struct conf_load *load, const char *what, size_t *size)
{
	const struct told *t = conf_arg(load);

	(void)what;
	*size = t->d.size;
	return t->d.items;
}

static const struct conf_item *each(void *arg, size_t i, const char **what)
{
	*what = "x";
	return i ? NULL : ((const struct told *)arg)->d.items;
}

static void ignore(void *arg, const char *name, const char *const *texts, size_t n)
{
	*(size_t *)arg += strlen(name) + (n ? strlen(texts[n - 1]) : 0);
}

static void use(struct told *t)
{
	static const char text[] = "plugins = ( { name = \"x\"; } );\n";
	const struct conf_more more = { "plugin", of, each };
	const struct conf_item items[] = {
		CONF_LIST(struct root, plugins, plugin_items, struct plugin_conf, .more = &more), CONF_END
	};
	const struct conf_schema schema = { items, sizeof(struct root), NULL, t };
	char *printed = NULL;
	struct conf *c = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&printed, &len);

	if (!to)
		abort();
	conf_print_defaults(&schema, to);
	if (!conf_load_text(&c, "/f", text, sizeof text - 1, &schema, NULL)) {
		const struct root *r = conf_root(c);
		size_t octets = 0;

		plugin_settings(r->plugins.v[0], ignore, &octets);
		conf_print(c, &schema, to);
	}
	conf_free(c);
	fclose(to);
	free(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	t->raw = malloc(size + 1);
	if (!t->raw)
		abort();
	if (size)
		memcpy(t->raw, data, size);
	t->raw_len = size;
	told_read(t);
	if (t->d.refused ? t->d.items != NULL : t->d.items == NULL)
		abort();
	if (!t->d.refused)
		use(t);
	for (size_t i = 0; i < FRAME_OPTIONS_MOST; i++)
		free(t->words[i]);
	free(t->items);
	free(t->raw);
	free(t);
	return 0;
}
