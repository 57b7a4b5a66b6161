/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - see json.h */
#include "link/t8/json.h"

#include <errno.h>
#include <string.h>

/* Structure only: whether the text is JSON at all is the parser's business. */
static int bounds(const char *text, size_t len, size_t members)
{
	size_t depth = 0, seen = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (c == '"')
			in_string = true;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		else if (c == ',')
			seen++;
		if (depth > T8_JSON_DEPTH || seen > members)
			return -EMSGSIZE;
	}
	return 0;
}

int t8_json_read(json_t **out, const char *text, size_t len, size_t members)
{
	json_error_t error;
	json_t *j;
	int err = bounds(text, len, members);

	if (err)
		return err;
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!j)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	*out = j;
	return 0;
}

const char *t8_json_text(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

int t8_json_copy(char *buf, size_t size, const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	buf[0] = '\0';
	if (!v || json_is_null(v))
		return -ENOENT;
	if (!json_is_string(v))
		return -EBADMSG;
	if (json_string_length(v) >= size)
		return -EMSGSIZE;
	memcpy(buf, json_string_value(v), json_string_length(v) + 1);
	return 0;
}
