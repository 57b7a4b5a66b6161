/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - reading members of commands, making members of events */
#include "sim/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *cmd_text(const json_t *cmd, const char *name, const char *preset)
{
	const char *text = json_string_value(json_object_get(cmd, name));

	return text ? text : preset;
}

int64_t cmd_int(const json_t *cmd, const char *name, int64_t preset)
{
	const json_t *v = json_object_get(cmd, name);
	const char *text = json_string_value(v);
	char *end = NULL;
	long long n;

	if (json_is_number(v))
		return (int64_t)json_number_value(v);
	if (!text || !*text)
		return preset;
	n = strtoll(text, &end, 0);
	return *end ? preset : n;
}

bool cmd_bool(const json_t *cmd, const char *name, bool preset)
{
	const json_t *v = json_object_get(cmd, name);
	const char *text = json_string_value(v);

	if (json_is_boolean(v))
		return json_is_true(v);
	if (json_is_integer(v))
		return json_integer_value(v) != 0;
	if (!text)
		return preset;
	return !strcmp(text, "on") || !strcmp(text, "true") || !strcmp(text, "1");
}

bool cmd_has(const json_t *cmd, const char *name)
{
	return json_object_get(cmd, name) != NULL;
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch = (char)(ch | 0x20);
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

int hex_decode(uint8_t *out, size_t size, const char *text, size_t *len)
{
	size_t n = strlen(text);

	if (n % 2)
		return -EBADMSG;
	if (n / 2 > size)
		return -EMSGSIZE;
	for (size_t i = 0; i < n / 2; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		out[i] = (uint8_t)(high << 4 | low);
	}
	*len = n / 2;
	return 0;
}

int cmd_hex(const json_t *cmd, const char *name, uint8_t **out, size_t *len)
{
	const char *text = cmd_text(cmd, name, NULL);
	uint8_t *data;
	int err;

	if (!text)
		return -ENOENT;
	data = malloc(strlen(text) / 2 + 1);
	if (!data)
		return -ENOMEM;
	err = hex_decode(data, strlen(text) / 2 + 1, text, len);
	if (err) {
		free(data);
		return err;
	}
	*out = data;
	return 0;
}

int cmd_set_option(void *opts, const struct args_item *items, const char *name, const json_t *value)
{
	const char *text = json_string_value(value);
	char number[32];

	snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	if (!text)
		text = json_is_boolean(value) ? (json_is_true(value) ? "on" : "off") : number;
	return args_set(opts, items, name, text);
}

int cmd_set_options(json_t *cmd, json_t *reply, void *opts, const struct args_item *items)
{
	const char *name;
	json_t *v;

	json_object_foreach(cmd, name, v)
	{
		if (!strcmp(name, "cmd") || !strcmp(name, "id") || !strcmp(name, "after_ms"))
			continue;
		if (cmd_set_option(opts, items, name, v))
			return reply_error(reply, -EINVAL, name);
	}
	return 0;
}

int reply_error(json_t *reply, int err, const char *text)
{
	json_object_set_new(reply, "text", json_string(text));
	return err;
}

json_t *json_hex(const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	char *text = malloc(2 * len + 1);
	json_t *v;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	v = json_stringn(text, 2 * len);
	free(text);
	return v;
}

json_t *json_text_of(const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		if ((p[i] < ' ' && p[i] != '\n' && p[i] != '\r' && p[i] != '\t') || p[i] == 0x7f)
			return NULL;
	}
	return len ? json_stringn(data, len) : NULL; /* jansson refuses what is not UTF-8 */
}
