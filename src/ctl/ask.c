/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - commands to the gateway and to devices
 *
 * A value is taken as JSON where it is some, else as text: value=21.5 is a number, value='"21.5"' and path=/3/0/9 are
 * texts. The answer is waited for: what goes to a device that sleeps can take as long as timeout_s says.
 */
#include "ctl/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show.h"

static json_t *value_of(const char *text)
{
	json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	return v ? v : json_string(text);
}

/* KEY=VALUE into the request: timeout_s stands in it, the others among the arguments. False: said on stderr. */
static bool add_pair(json_t *request, json_t *args, const char *pair)
{
	const char *equals = strchr(pair, '=');
	json_t *v = equals ? value_of(equals + 1) : NULL;
	char *key = equals ? strndup(pair, (size_t)(equals - pair)) : NULL;
	bool ok = v && key && *key;

	if (!ok)
		complain("\"%s\" is not of the form KEY=VALUE, or not UTF-8", pair);
	else
		ok = !json_object_set(strcmp(key, "timeout_s") ? args : request, key, v);
	json_decref(v);
	free(key);
	return ok;
}

static bool show(const struct device_call *call, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error"), *data = json_object_get(answer, "data");
	const char *code = json_string_value(json_object_get(error, "code"));

	if (call->json)
		call->print(answer);
	else if (data && !error)
		call->print(data);
	if (!error)
		return true;
	complain("%s: %s", code ? code : "failed", json_string_value(json_object_get(error, "message")));
	return false;
}

static bool ask(const struct device_call *call, const char *device, int from)
{
	json_t *args = json_object(), *answer;
	json_t *request = json_pack("{s:s, s:s*, s:s*, s:o}", "verb", "command", "device", device, "command",
				    call->args[from], "args", args);
	bool ok = request != NULL;

	if (!request)
		complain("\"%s\" is not UTF-8", device ? device : call->args[from]);
	for (int i = from + 1; ok && i < call->args_n; i++)
		ok = add_pair(request, args, call->args[i]);
	if (!ok) {
		json_decref(request);
		return false;
	}
	answer = client_ask(call->client, request);
	ok = answer && show(call, answer);
	json_decref(answer);
	return ok;
}

bool ask_gateway(const struct device_call *call)
{
	return ask(call, NULL, 0);
}

bool ask_device(const struct device_call *call)
{
	if (call->args_n >= 2)
		return ask(call, call->args[0], 1);
	complain("which command? read path=/3/0, write path=/1/0/1 value=60, execute, discover, observe, ping, "
		 "queue-drop ..");
	return false;
}
