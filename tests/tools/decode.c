/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c - decodes reports from standard input, for tests that hold the decoders against others
 *
 * A line in is FORMAT PATH HEX, PATH "-" for none. Out come the values as tests/unit/lwm2m/reported.h writes them, then
 * a line with a dot alone.
 */
#include <stdarg.h>

#include "unit/lwm2m/reported.h"

static size_t unhex(uint8_t *out, size_t size, const char *hex)
{
	size_t n = 0;
	unsigned octet;

	for (; n < size && sscanf(hex, "%2x", &octet) == 1; hex += 2)
		out[n++] = (uint8_t)octet;
	return n;
}

int main(void)
{
	static char line[2 * LWM2M_DECODE_LEN_MAX + 64];
	static uint8_t payload[LWM2M_DECODE_LEN_MAX];
	struct lwm2m_registry *registry = test_registry();

	while (fgets(line, sizeof line, stdin)) {
		struct lwm2m_decode_in in = { .arrival_us = ARRIVAL_US, .registry = registry, .payload = payload };
		char text[64], *save, *format = strtok_r(line, " \n", &save), *path = strtok_r(NULL, " \n", &save);
		const char *hex = strtok_r(NULL, " \n", &save);
		struct lwm2m_path p;

		if (!format || !path || snprintf(text, sizeof text, "%s", path) >= (int)sizeof text)
			return 2;
		in.format = (unsigned)strtoul(format, NULL, 10);
		if (strcmp(text, "-") != 0) {
			if (lwm2m_path_parse(&p, NULL, text, strlen(text), NULL))
				return 2;
			in.path = &p;
		}
		in.len = unhex(payload, sizeof payload, hex ? hex : "");
		printf("%s\n.\n", reported(&in));
		fflush(stdout);
	}
	lwm2m_registry_free(registry);
	return 0;
}
