/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_objects_table.c - the compiled table, whose checksum is made right first so that what follows is reached */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 24, SUM_AT = 16 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void sign(uint8_t *table, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = HEAD; i < len; i++)
		h = (h ^ table[i]) * 0x100000001b3u;
	for (int i = 0; i < 8; i++)
		table[SUM_AT + i] = (uint8_t)(h >> (56 - 8 * i));
}

static void look_up(const struct lwm2m_registry *r)
{
	struct lwm2m_resource_def res;
	struct lwm2m_object_def o;

	for (unsigned id = 0; id < 64; id++)
		if (lwm2m_registry_object(r, (uint16_t)id, 0, &o)) {
			must(o.id == id && o.version && strlen(o.name));
			for (unsigned k = 0; k < 64; k++)
				if (lwm2m_registry_resource(r, (uint16_t)id, 0, (uint16_t)k, &res))
					must(res.id == k && strlen(res.name) && (unsigned)res.type < LWM2M_VALUE_COUNT);
			(void)lwm2m_registry_is_secret(r, (uint16_t)id, 1);
		}
}

static int load(const uint8_t *table, size_t len)
{
	struct lwm2m_registry *r;
	uint8_t *same;
	size_t same_len;
	int err;

	must(!lwm2m_registry_new(&r));
	err = lwm2m_registry_load(r, table, len);
	must(err == 0 || err == -EBADMSG || err == -EMSGSIZE || err == -ENOMEM);
	if (err) {
		must(!lwm2m_registry_objects(r));
	} else {
		look_up(r);
		must(!lwm2m_registry_save(r, &same, &same_len));
		free(same);
	}
	lwm2m_registry_free(r);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = calloc(1, size + 1);

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	load(copy, size);
	if (size >= HEAD) {
		sign(copy, size);
		load(copy, size);
	}
	free(copy);
	return 0;
}
