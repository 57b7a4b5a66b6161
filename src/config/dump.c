/* SPDX-License-Identifier: Apache-2.0 */
/* dump.c - the configuration in effect, as a file
 *
 * The same syntax as the files, all of them merged and every default written out; where a secret is kept is not shown.
 */
#include <inttypes.h>
#include <string.h>

#include "config/parts.h"

struct dump {
	FILE *to;
	unsigned depth;
};

static void dump_items(struct dump *d, const struct conf_item *items, const char *base);

static void indent(const struct dump *d)
{
	for (unsigned i = 0; i < d->depth; i++)
		fputs("    ", d->to);
}

static void dump_texts(const struct dump *d, const struct conf_texts *t)
{
	fputs("[", d->to);
	for (size_t i = 0; i < t->n; i++) {
		fputs(i ? ", " : " ", d->to);
		print_quoted(d->to, t->v[i]);
	}
	fputs(" ]", d->to);
}

static void dump_uint(const struct dump *d, uint64_t v)
{
	fprintf(d->to, "%" PRIu64 "%s", v, v > INT32_MAX ? "L" : "");
}

static void dump_value(const struct dump *d, const struct conf_item *it, const void *at)
{
	switch (it->type) {
	case CONF_TYPE_UINT:
		dump_uint(d, *(const uint64_t *)at);
		break;
	case CONF_TYPE_INT:
		print_number(d->to, it, (double)*(const int64_t *)at);
		break;
	case CONF_TYPE_REAL:
		print_number(d->to, it, *(const double *)at);
		break;
	case CONF_TYPE_BOOL:
		fputs(*(const bool *)at ? "true" : "false", d->to);
		break;
	case CONF_TYPE_WORD:
		print_quoted(d->to, it->words[*(const int *)at]);
		break;
	case CONF_TYPE_TEXTS:
		dump_texts(d, at);
		break;
	case CONF_TYPE_SECRET:
		print_quoted(d->to, "file:***");
		break;
	default:
		print_quoted(d->to, *(const char *const *)at);
		break;
	}
}

static bool is_there(const struct conf_item *it, const void *at);

/* A group that was not given lacks what it must have. */
static bool group_is_there(const struct conf_item *items, const char *base)
{
	for (; items->type != CONF_TYPE_END; items++)
		if (items->required && !items->absent && !is_there(items, base + items->offset))
			return false;
	return true;
}

static bool is_there(const struct conf_item *it, const void *at)
{
	switch (it->type) {
	case CONF_TYPE_TEXT:
	case CONF_TYPE_FILE:
	case CONF_TYPE_KEYFILE:
	case CONF_TYPE_SECRET:
	case CONF_TYPE_PATH:
		return *(const char *const *)at;
	case CONF_TYPE_TEXTS:
		return ((const struct conf_texts *)at)->n;
	case CONF_TYPE_LIST:
		return ((const struct conf_list *)at)->n;
	case CONF_TYPE_WORD:
		return *(const int *)at >= 0;
	case CONF_TYPE_UINT: /* a default outside of the range stands for none */
		return *(const uint64_t *)at >= (uint64_t)it->least && *(const uint64_t *)at <= (uint64_t)it->most;
	case CONF_TYPE_INT:
		return *(const int64_t *)at >= (int64_t)it->least && *(const int64_t *)at <= (int64_t)it->most;
	case CONF_TYPE_GROUP:
		return group_is_there(it->items, at);
	default:
		return true;
	}
}

static const struct conf_item *variant_items(const struct conf_item *list, const char *elem)
{
	const struct conf_item *type = list->variants ? item_find(list->items, "type") : NULL;
	const char *word;

	if (list->more)
		return ((const struct conf_more_head *)(const void *)elem)->more;
	if (!type)
		return NULL;
	word = type->words[*(const int *)(const void *)(elem + type->offset)];
	for (const struct conf_variant *v = list->variants; v->word; v++)
		if (v->word == word || !strcmp(v->word, word))
			return v->items;
	return NULL;
}

static void dump_element(struct dump *d, const struct conf_item *list, const char *elem, bool last)
{
	const struct conf_head *head = (const struct conf_head *)(const void *)elem;

	indent(d);
	fputs("{\n", d->to);
	d->depth++;
	if (head->name) {
		indent(d);
		fputs("name = ", d->to);
		print_quoted(d->to, head->name);
		fputs(";\n", d->to);
	}
	dump_items(d, list->items, elem);
	dump_items(d, variant_items(list, elem), elem);
	d->depth--;
	indent(d);
	fputs(last ? "}\n" : "},\n", d->to);
}

static void dump_group(struct dump *d, const struct conf_item *it, const char *at)
{
	fprintf(d->to, "%s = {\n", it->name);
	d->depth++;
	dump_items(d, it->items, at);
	d->depth--;
	indent(d);
	fputs("};\n", d->to);
}

static void dump_list(struct dump *d, const struct conf_item *it, const struct conf_list *list)
{
	fprintf(d->to, "%s = (\n", it->name);
	d->depth++;
	for (size_t i = 0; i < list->n; i++)
		dump_element(d, it, list->v[i], i + 1 == list->n);
	d->depth--;
	indent(d);
	fputs(");\n", d->to);
}

static void dump_items(struct dump *d, const struct conf_item *items, const char *base)
{
	for (; items && items->type != CONF_TYPE_END; items++) {
		const char *at = base + items->offset;

		if (items->absent || !is_there(items, at))
			continue;
		indent(d);
		if (items->type == CONF_TYPE_GROUP) {
			dump_group(d, items, at);
		} else if (items->type == CONF_TYPE_LIST) {
			dump_list(d, items, (const struct conf_list *)(const void *)at);
		} else {
			fprintf(d->to, "%s = ", items->name);
			dump_value(d, items, at);
			fputs(";\n", d->to);
		}
	}
}

void conf_print(const struct conf *c, const struct conf_schema *schema, FILE *to)
{
	struct dump d = { .to = to };

	dump_items(&d, schema->items, c->root);
}
