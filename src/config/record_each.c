/* SPDX-License-Identifier: Apache-2.0 */
/* record_each.c - the texts that record.c would make a record of again
 *
 * What is at its default is left out, so a default that changes with a version changes for old records too.
 */
#include <limits.h>
#include <string.h>

#include "config/parts.h"

static void each_number(const struct conf_item *it, double v, conf_pair_each_fn *fn, void *arg)
{
	char text[40];

	if (v == it->number) /* as it was put there */
		return;
	snprintf(text, sizeof text, "%.17g", v);
	fn(arg, &(struct conf_pair){ it->name, text, false }, false);
}

static void each_word(const struct conf_item *it, int word, conf_pair_each_fn *fn, void *arg)
{
	if (word >= 0 && word != (it->text ? word_find(it, it->text) : -1))
		fn(arg, &(struct conf_pair){ it->name, it->words[word], false }, false);
}

static void each_text(const struct conf_item *it, const char *text, conf_pair_each_fn *fn, void *arg)
{
	if (text && text != it->text)
		fn(arg, &(struct conf_pair){ it->name, text, false }, false);
}

/* Its texts up to the last one that is there, as check_parts() has them. */
static void each_struct(const struct conf_item *list, const void *elem, conf_pair_each_fn *fn, void *arg)
{
	char text[CONF_TEXT_MOST + 1] = "";
	size_t len = 0, n = 0, last = 0;

	for (const struct conf_item *it = list->items; it->type != CONF_TYPE_END; it++, n++)
		if (*(const char *const *)(const void *)((const char *)elem + it->offset))
			last = n;
	for (size_t i = 0; i <= last; i++) {
		const void *at = (const char *)elem + list->items[i].offset;
		const char *part = *(const char *const *)at;

		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? "/" : "", part ? part : "");
		if (len >= sizeof text)
			return; /* longer than any that was taken */
	}
	fn(arg, &(struct conf_pair){ list->name, text, true }, true);
}

static void each_path(const struct conf_item *it, const char *path, conf_pair_each_fn *fn, void *arg)
{
	char text[CONF_TEXT_MOST + PATH_MAX + 8];

	if (!path)
		return;
	snprintf(text, sizeof text, "%s%s", it->type == CONF_TYPE_SECRET ? SECRET_PREFIX : "", path);
	fn(arg, &(struct conf_pair){ it->name, text, false }, false);
}

static void each_value(const struct conf_item *it, const void *at, conf_pair_each_fn *fn, void *arg)
{
	const struct conf_texts *list = at;

	switch (it->type) {
	case CONF_TYPE_TEXT:
		each_text(it, *(const char *const *)at, fn, arg);
		break;
	case CONF_TYPE_FILE:
	case CONF_TYPE_KEYFILE:
	case CONF_TYPE_SECRET:
		each_path(it, *(const char *const *)at, fn, arg);
		break;
	case CONF_TYPE_UINT:
		each_number(it, (double)*(const uint64_t *)at, fn, arg);
		break;
	case CONF_TYPE_REAL:
		each_number(it, *(const double *)at, fn, arg);
		break;
	case CONF_TYPE_BOOL:
		if (*(const bool *)at != (it->number != 0))
			fn(arg, &(struct conf_pair){ it->name, *(const bool *)at ? "true" : "false", false }, false);
		break;
	case CONF_TYPE_WORD:
		each_word(it, *(const int *)at, fn, arg);
		break;
	case CONF_TYPE_TEXTS:
		for (size_t i = 0; i < list->n; i++)
			fn(arg, &(struct conf_pair){ it->name, list->v[i], true }, true);
		break;
	case CONF_TYPE_LIST:
		for (size_t i = 0; record_is_flat(it) && i < ((const struct conf_list *)at)->n; i++)
			each_struct(it, ((const struct conf_list *)at)->v[i], fn, arg);
		break;
	default:
		break;
	}
}

void conf_record_each(const struct conf_item *items, const void *record, conf_pair_each_fn *fn, void *arg)
{
	for (const struct conf_item *it = items; it->type != CONF_TYPE_END; it++)
		if (!it->absent)
			each_value(it, (const char *)record + it->offset, fn, arg);
}
