/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_command.c - values that others ask to be written, and lists of links that devices answer
 *
 * The first octet says which: a list, or the registered type that a value is for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/command_inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void read_list(const char *list, size_t len)
{
	json_t *o = command_links(list, len), *one;
	size_t i;

	json_array_foreach(o, i, one) must(json_is_string(json_object_get(one, "path")));
	json_decref(o);
}

static void write_value(enum niddgw_type type, const char *text, size_t len)
{
	json_t *args = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *value = json_object_get(args, "value");
	unsigned format = 1000;
	uint8_t *out = malloc(16);
	long n;

	n = value && out
		? command_value(value, json_string_value(json_object_get(args, "type")), type, out, 16, &format)
		: -EINVAL;
	must(n == -EINVAL || n == -EMSGSIZE || (n >= 0 && n <= 16 && (format == 0 || format == 42)));
	free(out);
	json_decref(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 0x80)
		read_list((const char *)data + 1, size - 1);
	else
		write_value(data[0] % (NIDDGW_CORELNK + 1), (const char *)data + 1, size - 1);
	return 0;
}
