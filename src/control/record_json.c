/* SPDX-License-Identifier: Apache-2.0 */
/* record_json.c - a device record as a JSON object, both ways */
#include "control/record_json.h"

#include <stdio.h>
#include <string.h>

static bool add_value(struct record_pairs *p, const char *key, const json_t *value, bool entry)
{
	const char *text = json_string_value(value);
	char *number = p->n < PAIRS_MOST ? p->numbers[p->n] : NULL;

	if (!number)
		return false;
	if (json_is_integer(value))
		snprintf(number, sizeof *p->numbers, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(number, sizeof *p->numbers, "%.17g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(number, sizeof *p->numbers, "%s", json_is_true(value) ? "true" : "false");
	else if (!text)
		return false;
	p->v[p->n++] = (struct conf_pair){ key, text ? text : number, entry };
	return true;
}

static const struct conf_item *list_of(const char *key)
{
	const struct conf_item *it = device_items;

	while (it->type != CONF_TYPE_END && (it->type != CONF_TYPE_LIST || it->absent || strcmp(it->name, key) != 0))
		it++;
	return it->type == CONF_TYPE_END ? NULL : it;
}

/* {"server":"main","kid":"0a"} as "main/0a": its texts in the order of the table, up to the last one that is there. */
static bool add_group(struct record_pairs *p, const char *key, const json_t *group)
{
	const struct conf_item *list = list_of(key);
	const size_t start = p->groups_len;
	size_t left = json_object_size(group);

	if (!list || !left || p->n == PAIRS_MOST)
		return false;
	for (const struct conf_item *it = list->items; left; it++) {
		const json_t *member = it->type == CONF_TYPE_END ? NULL : json_object_get(group, it->name);
		const char *text = json_string_value(member);
		size_t room = sizeof p->groups - p->groups_len;
		int n;

		if (it->type == CONF_TYPE_END || (member && (!text || strchr(text, '/'))))
			return false; /* a member that it does not have, or one that is no text */
		left -= member != NULL;
		n = snprintf(p->groups + p->groups_len, room, "%s%s", it == list->items ? "" : "/", text ? text : "");
		if (n < 0 || (size_t)n + 1 >= room)
			return false;
		p->groups_len += (size_t)n;
	}
	p->groups_len++;
	p->v[p->n++] = (struct conf_pair){ key, p->groups + start, true };
	return true;
}

static bool add_entry(struct record_pairs *p, const char *key, const json_t *entry)
{
	return json_is_object(entry) ? add_group(p, key, entry) : add_value(p, key, entry, true);
}

bool record_pairs(struct record_pairs *p, json_t *object)
{
	const char *key;
	json_t *value, *entry;
	size_t i;

	p->n = p->groups_len = 0;
	json_object_foreach(object, key, value)
	{
		if (json_is_null(value))
			continue;
		if (!json_is_array(value) && !add_value(p, key, value, false))
			return false;
		json_array_foreach(value, i, entry) if (!add_entry(p, key, entry)) return false;
	}
	return true;
}

static void set_pair(void *arg, const struct conf_pair *p, bool list)
{
	json_t *o = arg, *entries = json_object_get(o, p->key);

	if (!list) {
		json_object_set_new(o, p->key, json_string(p->value));
		return;
	}
	if (!entries) {
		entries = json_array();
		json_object_set_new(o, p->key, entries);
	}
	json_array_append_new(entries, json_string(p->value));
}

json_t *record_object(const struct device_conf *c)
{
	json_t *o = json_pack("{s:s}", "name", c->head.name);

	if (o)
		conf_record_each(device_items, c, set_pair, o);
	return o;
}
