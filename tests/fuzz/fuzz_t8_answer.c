/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_t8_answer.c - answers of a peer. The first octet says as what the rest is read: a configuration, a delivery, a
 * list in two different cuts (which must agree), a list of pending deliveries */
#include <stdint.h>
#include <stdlib.h>

#include "link/t8/answer.h"
#include "link/t8/decide.h"
#include "link/t8/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_object(void *arg, const char *text, size_t len)
{
	struct t8_config_answer a;

	t8_config_read(&a, text, len, "gw7");
	*(uint64_t *)arg = *(uint64_t *)arg * 31 + len;
}

static void lists(const char *text, size_t len)
{
	uint64_t sum[2] = { 0, 0 };
	bool complete[2];

	for (int way = 0; way < 2; way++) {
		struct t8_list l;
		size_t step = way ? 1 : len + 1;

		t8_list_init(&l, on_object, &sum[way]);
		for (size_t at = 0; at < len; at += step)
			if (t8_list_feed(&l, text + at, len - at < step ? len - at : step))
				break;
		complete[way] = t8_list_complete(&l);
		if (l.size > T8_LIST_OBJECT)
			abort();
		t8_list_fini(&l);
	}
	if (sum[0] != sum[1] || complete[0] != complete[1])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct http_result r = { .outcome = HTTP_ANSWERED, .status = 500 };
	struct t8_config_answer config;
	struct t8_delivery_answer delivery;
	char tail[T8_TAIL_MAX];

	if (!size)
		return 0;
	switch (data[0] & 3) {
	case 0:
		t8_config_read(&config, text, size - 1, "gw7");
		break;
	case 1:
		t8_delivery_read(&delivery, text, size - 1, "gw7");
		if (t8_decide(&r, &delivery).outcome >= T8_OUT_COUNT)
			abort();
		t8_retry_at_ms(&r, &delivery, NULL);
		break;
	case 2:
		lists(text, size - 1);
		break;
	default:
		t8_pending_find(tail, text, size - 1, "gw7", (const uint8_t *)"\1\2\3", 3);
		break;
	}
	return 0;
}
