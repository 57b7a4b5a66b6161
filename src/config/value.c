/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - one setting to one member of a struct
 *
 * A value that is refused leaves the member at its default, so that the checks which follow find nothing half done.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/parts.h"

enum { WORDS_TEXT = 400 };

const struct conf_item *item_find(const struct conf_item *items, const char *name)
{
	for (; items && items->type != CONF_TYPE_END; items++)
		if (!strcmp(items->name, name))
			return items;
	return NULL;
}

int word_find(const struct conf_item *item, const char *word)
{
	for (int i = 0; item->words[i]; i++)
		if (!strcmp(item->words[i], word))
			return i;
	return -1;
}

const char *setting_kind(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "an integer";
	case CONFIG_TYPE_FLOAT:
		return "a real number";
	case CONFIG_TYPE_STRING:
		return "a text";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_GROUP:
		return "a group { .. }";
	case CONFIG_TYPE_LIST:
		return "a list ( .. )";
	default:
		return "an array [ .. ]";
	}
}

static void wrong_type(struct conf_load *load, const struct origin *o, const char *key, int index,
		       const config_setting_t *s, const char *expected)
{
	fault_key(load, o, key, index, setting_line(s), "wrong type: %s is expected, not %s", expected,
		  setting_kind(s));
}

static bool is_integer(const config_setting_t *s)
{
	return config_setting_type(s) == CONFIG_TYPE_INT || config_setting_type(s) == CONFIG_TYPE_INT64;
}

bool text_taken(struct conf_load *load, const struct origin *o, const char *key, int index, config_setting_t *s,
		const char **out)
{
	const char *text = config_setting_get_string(s);
	const size_t len = text ? strlen(text) : 0;
	const char *copy;

	if (!text) {
		wrong_type(load, o, key, index, s, "a text");
		return false;
	}
	if (len > CONF_TEXT_MOST) {
		fault_key(load, o, key, index, setting_line(s), "longer than %d octets", CONF_TEXT_MOST);
		return false;
	}
	if (!text_is_printable(text, len)) {
		fault_key(load, o, key, index, setting_line(s), "not printable UTF-8 text");
		return false;
	}
	copy = arena_text(&load->conf->arena, text, len);
	if (copy)
		*out = copy;
	else
		load->no_memory = true;
	return copy;
}

/* least <= value <= most, else a fault; text is the value as it was written. */
static bool in_range(struct conf_load *load, const struct origin *o, const struct conf_item *item,
		     const config_setting_t *s, double value, const char *text)
{
	const bool low = value < item->least;
	const double bound = low ? item->least : item->most;

	if (value >= item->least && value <= item->most)
		return true;
	fault_key(load, o, item->name, -1, setting_line(s),
		  item->type == CONF_TYPE_REAL ? "%s is %s value %.15g" : "%s is %s value %.0f", text,
		  low ? "below the least" : "above the greatest", bound);
	return false;
}

static void fill_uint(struct conf_load *load, const struct origin *o, const struct conf_item *item, config_setting_t *s,
		      uint64_t *out)
{
	char text[32] = "a number beyond 64 bits"; /* as the scanner left it */
	long long v;

	if (!is_integer(s)) {
		wrong_type(load, o, item->name, -1, s, "an integer");
		return;
	}
	v = config_setting_get_int64(s);
	if (config_setting_type(s) == CONFIG_TYPE_INT)
		v = config_setting_get_int(s);
	if (v != LLONG_MAX && v != -LLONG_MAX)
		snprintf(text, sizeof text, "%lld", v);
	if (in_range(load, o, item, s, (double)v, text))
		*out = (uint64_t)v;
}

static void fill_int(struct conf_load *load, const struct origin *o, const struct conf_item *item, config_setting_t *s,
		     int64_t *out)
{
	char text[32] = "a number beyond 64 bits";
	long long v;

	if (!is_integer(s)) {
		wrong_type(load, o, item->name, -1, s, "an integer");
		return;
	}
	v = config_setting_type(s) == CONFIG_TYPE_INT ? config_setting_get_int(s) : config_setting_get_int64(s);
	if (v != LLONG_MAX && v != -LLONG_MAX)
		snprintf(text, sizeof text, "%lld", v);
	if (in_range(load, o, item, s, (double)v, text))
		*out = v;
}

static void fill_real(struct conf_load *load, const struct origin *o, const struct conf_item *item, config_setting_t *s,
		      double *out)
{
	char text[32];
	double v;

	if (is_integer(s)) {
		v = config_setting_type(s) == CONFIG_TYPE_INT ? (double)config_setting_get_int(s)
							      : (double)config_setting_get_int64(s);
	} else if (config_setting_type(s) == CONFIG_TYPE_FLOAT) {
		v = config_setting_get_float(s);
	} else {
		wrong_type(load, o, item->name, -1, s, "a number");
		return;
	}
	snprintf(text, sizeof text, "%.15g", v);
	if (in_range(load, o, item, s, v, text))
		*out = v;
}

static void fill_bool(struct conf_load *load, const struct origin *o, const struct conf_item *item, config_setting_t *s,
		      bool *out)
{
	if (config_setting_type(s) == CONFIG_TYPE_BOOL)
		*out = config_setting_get_bool(s) != 0;
	else
		wrong_type(load, o, item->name, -1, s, "true or false");
}

/* "a", "b" and "c", of those that are built */
static void list_words(const struct conf_item *item, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int i = 0; item->words[i] && len < size; i++)
		if (!(item->unbuilt >> i & 1))
			len += (size_t)snprintf(buf + len, size - len, "%s\"%s\"", len ? ", " : "", item->words[i]);
}

/* A word may look like a number (http = 2, protocol = 3.1): it is taken as it was meant. */
static const char *word_text(const config_setting_t *s, char *buf, size_t size)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return config_setting_get_string(s);
	if (config_setting_type(s) == CONFIG_TYPE_INT)
		snprintf(buf, size, "%d", config_setting_get_int(s));
	else if (config_setting_type(s) == CONFIG_TYPE_FLOAT)
		snprintf(buf, size, "%g", config_setting_get_float(s));
	else
		return NULL;
	return buf;
}

static void fill_word(struct conf_load *load, const struct origin *o, const struct conf_item *item, config_setting_t *s,
		      int *out)
{
	char number[32], words[WORDS_TEXT];
	const char *text = word_text(s, number, sizeof number);
	const int word = text ? word_find(item, text) : -1;

	if (!text) {
		wrong_type(load, o, item->name, -1, s, "a text");
		return;
	}
	if (word < 0) {
		list_words(item, words, sizeof words);
		fault_key(load, o, item->name, -1, setting_line(s), "\"%.64s\" is not one of %s", text, words);
		return;
	}
	if (item->unbuilt >> word & 1)
		fault_key(load, o, item->name, -1, setting_line(s), "\"%s\" is not built in this version", text);
	*out = word;
}

/* Texts of a later file go behind those of an earlier one. */
static void fill_texts(struct conf_load *load, const struct origin *o, const struct conf_item *item,
		       config_setting_t *s, struct conf_texts *out)
{
	const int type = config_setting_type(s), n = config_setting_length(s);
	const char **v;
	size_t used = out->n;

	if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
		wrong_type(load, o, item->name, -1, s, "an array [ .. ] of texts");
		return;
	}
	if (!n)
		return;
	v = arena_alloc(&load->conf->arena, (out->n + (size_t)n) * sizeof *v);
	if (!v) {
		load->no_memory = true;
		return;
	}
	if (used)
		memcpy(v, out->v, used * sizeof *v);
	for (int i = 0; i < n; i++)
		used += text_taken(load, o, item->name, i, config_setting_get_elem(s, (unsigned)i), &v[used]);
	*out = (struct conf_texts){ v, used };
}

const char *conf_path(struct conf_load *load, const char *path)
{
	const size_t len = strlen(path), dir_len = strlen(load->dir);
	char *joined;
	const char *kept;

	if (*path == '/')
		return path;
	joined = malloc(dir_len + len + 2);
	if (!joined) {
		load->no_memory = true;
		return NULL;
	}
	snprintf(joined, dir_len + len + 2, "%s%s%s", load->dir, load->dir[dir_len - 1] == '/' ? "" : "/", path);
	kept = arena_text(&load->conf->arena, joined, strlen(joined));
	if (!kept)
		load->no_memory = true;
	free(joined);
	return kept;
}

static void fill_path(struct conf_load *load, const struct origin *o, const struct conf_item *item, config_setting_t *s,
		      const char **out)
{
	static const char prefix[] = "file:";
	const bool secret = item->type == CONF_TYPE_SECRET;
	const char *path = NULL;
	char why[160];

	if (!text_taken(load, o, item->name, -1, s, &path))
		return;
	if (secret &&
	    strncmp(path, prefix, strlen(prefix)) != 0) { /* what stands there may be the secret itself: not shown */
		fault_key(load, o, item->name, -1, setting_line(s), "a secret is named by its file, as \"file:PATH\"");
		return;
	}
	path += secret ? strlen(prefix) : 0;
	if (!*path) {
		fault_key(load, o, item->name, -1, setting_line(s), "the path is empty");
		return;
	}
	path = conf_path(load, path);
	if (!path)
		return;
	if (item->type != CONF_TYPE_PATH && path_check(item->type, path, why, sizeof why))
		fault_key(load, o, item->name, -1, setting_line(s), "%s cannot be used: %s", path, why);
	else
		*out = path;
}

void fill_value(struct conf_load *load, const struct origin *o, const struct conf_item *item, config_setting_t *s,
		void *base)
{
	void *to = (char *)base + item->offset;

	switch (item->type) {
	case CONF_TYPE_TEXT:
		text_taken(load, o, item->name, -1, s, to);
		break;
	case CONF_TYPE_UINT:
		fill_uint(load, o, item, s, to);
		break;
	case CONF_TYPE_INT:
		fill_int(load, o, item, s, to);
		break;
	case CONF_TYPE_REAL:
		fill_real(load, o, item, s, to);
		break;
	case CONF_TYPE_BOOL:
		fill_bool(load, o, item, s, to);
		break;
	case CONF_TYPE_WORD:
		fill_word(load, o, item, s, to);
		break;
	case CONF_TYPE_TEXTS:
		fill_texts(load, o, item, s, to);
		break;
	default:
		fill_path(load, o, item, s, to);
		break;
	}
}

static void fill_default(struct conf_load *load, const struct conf_item *it, void *to)
{
	switch (it->type) {
	case CONF_TYPE_TEXT:
		*(const char **)to = it->text;
		break;
	case CONF_TYPE_FILE:
	case CONF_TYPE_KEYFILE:
	case CONF_TYPE_PATH:
		*(const char **)to = it->text ? conf_path(load, it->text) : NULL;
		break;
	case CONF_TYPE_INT:
		*(int64_t *)to = (int64_t)it->number;
		break;
	case CONF_TYPE_UINT:
		*(uint64_t *)to = (uint64_t)it->number;
		break;
	case CONF_TYPE_REAL:
		*(double *)to = it->number;
		break;
	case CONF_TYPE_BOOL:
		*(bool *)to = it->number != 0;
		break;
	case CONF_TYPE_WORD:
		*(int *)to = it->text ? word_find(it, it->text) : -1;
		break;
	case CONF_TYPE_GROUP:
		fill_defaults(load, it->items, to);
		break;
	default: /* texts, lists and secrets: the struct was zeroed */
		break;
	}
}

void fill_defaults(struct conf_load *load, const struct conf_item *items, void *base)
{
	for (; items && items->type != CONF_TYPE_END; items++)
		if (!items->absent)
			fill_default(load, items, (char *)base + items->offset);
}
