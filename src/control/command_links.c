/* SPDX-License-Identifier: Apache-2.0 */
/* command_links.c - what a device answered to Discover: link format (RFC 6690) as JSON */
#include <string.h>

#include "base/text.h"
#include "control/command_inside.h"

enum { LINKS_MOST = 4096 };

struct links {
	const char *p, *end;
};

static bool take(struct links *l, char c)
{
	if (l->p == l->end || *l->p != c)
		return false;
	l->p++;
	return true;
}

/* Up to one of the octets in stop, or the end. */
static json_t *take_text(struct links *l, const char *stop, const char **text, size_t *len)
{
	*text = l->p;
	while (l->p < l->end && *l->p && !strchr(stop, *l->p))
		l->p++;
	*len = (size_t)(l->p - *text);
	return json_stringn(*text, *len); /* NULL: no UTF-8 */
}

static json_t *take_value(struct links *l)
{
	const char *text;
	size_t len;
	json_t *v;

	if (!take(l, '"'))
		return take_text(l, ";,", &text, &len);
	v = take_text(l, "\"", &text, &len);
	if (take(l, '"'))
		return v;
	json_decref(v);
	return NULL;
}

/* False: it is none. A flag alone is true; everything else is text, so that a version stays as it was written. */
static bool take_attribute(struct links *l, json_t *to)
{
	const char *name;
	size_t len;
	char key[64];
	json_t *v = take_text(l, "=;,", &name, &len);

	json_decref(v);
	if (!v || !len || len >= sizeof key)
		return false;
	memcpy(key, name, len);
	key[len] = 0;
	v = take(l, '=') ? take_value(l) : json_true();
	return json_object_set_new(to, key, v) == 0;
}

static json_t *take_link(struct links *l)
{
	json_t *o = json_object(), *attributes = json_object(), *path;
	const char *text;
	size_t len;
	bool good = take(l, '<');

	path = good ? take_text(l, ">", &text, &len) : NULL;
	good = path && take(l, '>');
	while (good && take(l, ';'))
		good = take_attribute(l, attributes);
	json_object_set_new(o, "path", path);
	if (json_object_size(attributes))
		json_object_set(o, "attributes", attributes);
	json_decref(attributes);
	if (good)
		return o;
	json_decref(o);
	return NULL;
}

json_t *command_links(const char *list, size_t len)
{
	struct links l = { list, list + len };
	json_t *all = json_array();

	while (l.p < l.end) {
		json_t *one = json_array_size(all) < LINKS_MOST ? take_link(&l) : NULL;

		if (!one || (l.p < l.end && !take(&l, ','))) {
			json_decref(one);
			json_decref(all);
			return NULL;
		}
		json_array_append_new(all, one);
	}
	return all;
}
