/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_topic.c - names as levels of topics: one to one, and nothing in a level that could leave it (F20) */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/mqtt/topic.h"

#define NAME_MAX_HERE 400

static void must(bool held)
{
	if (!held)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[NAME_MAX_HERE], back[NAME_MAX_HERE], level[TOPIC_LEVEL_SIZE], again[TOPIC_LEVEL_SIZE];
	long n;

	if (size >= sizeof name)
		return 0;
	memcpy(name, data, size);
	name[size] = 0;
	topic_level(level, name);
	must(strlen(level) <= TOPIC_LEVEL_MAX && *level && !strpbrk(level, "+#/$ "));
	for (const char *p = level; *p; p++)
		must(*p > 0x20 && *p < 0x7f);
	n = topic_name(back, sizeof back, level, strlen(level));
	must(n >= 0 ? !strcmp(back, name) : !*name || !strncmp(level, "%h", 2));
	n = topic_name(back, sizeof back, (const char *)data, size); /* a level that somebody else made */
	must(n < 0 || (strlen(topic_level(again, back)) == size && !memcmp(again, data, size)));
	return 0;
}
