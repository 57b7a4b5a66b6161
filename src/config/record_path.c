/* SPDX-License-Identifier: Apache-2.0 */
/* record_path.c - paths in records that stand in no file
 *
 * A record keeps them absolute, so that they mean the same wherever it is read again. Whether the files can be used is
 * asked where a record is new, and not of each stored one at every start.
 */
#include <string.h>

#include "base/text.h"
#include "config/parts.h"

const char *record_path(enum conf_type type, const char *text)
{
	if (type != CONF_TYPE_SECRET)
		return text;
	return strncmp(text, SECRET_PREFIX, strlen(SECRET_PREFIX)) ? NULL : text + strlen(SECRET_PREFIX);
}

size_t record_path_join(char *buf, size_t size, const char *dir, const char *path)
{
	size_t len = *path == '/' ? 0 : strlen(dir);

	return (size_t)snprintf(buf, size, "%.*s%s%s", (int)len, len ? dir : "", len && dir[len - 1] != '/' ? "/" : "",
				path);
}

static bool is_path(const struct conf_item *it)
{
	return it->type == CONF_TYPE_FILE || it->type == CONF_TYPE_KEYFILE || it->type == CONF_TYPE_SECRET;
}

bool conf_record_files(const struct conf_item *items, const void *record, conf_pair_fault_fn *fault, void *arg)
{
	bool good = true;

	for (const struct conf_item *it = items; it->type != CONF_TYPE_END; it++) {
		char why[160], text[512], safe[2 * sizeof text];
		const char *path = it->absent || !is_path(it)
			? NULL
			: *(const char *const *)(const void *)((const char *)record + it->offset);

		if (!path || !path_check(it->type, path, why, sizeof why))
			continue;
		good = false;
		snprintf(text, sizeof text, "%s: \"%.200s\" cannot be used: %s", it->name, path, why);
		text_escape(safe, sizeof safe, text);
		fault(arg, safe);
	}
	return good;
}
