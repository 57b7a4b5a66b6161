/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_t8_notify.c - notification bodies: read, and what was read is within its bounds */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "link/t8/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct t8_note n;
	char tail[T8_TAIL_MAX], link[T8_TAIL_MAX + 32];
	const char *fault;

	for (int lenient = 0; lenient < 2; lenient++) {
		if (t8_note_read(&n, data, size, "gw7", lenient, &fault)) {
			if (!fault)
				abort();
			continue;
		}
		if (n.kind >= T8_NOTE_COUNT || n.len > sizeof n.data || n.port_ue > 15 || n.port_scef > 15)
			abort();
		if (!*n.tail)
			continue;
		/* the one form of a link is a form of itself, and cannot leave our base */
		strcpy(link, T8_NIDD);
		strcat(link, n.tail);
		if (t8_tail(tail, link, "gw7") || strcmp(tail, n.tail) || strstr(n.tail, "/../"))
			abort();
	}
	return 0;
}
