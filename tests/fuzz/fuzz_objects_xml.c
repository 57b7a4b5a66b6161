/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_objects_xml.c - definitions of objects in XML (F14): what is taken compiles to a table that says the same */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void count_fault(void *arg, const char *file, unsigned line, const char *text)
{
	must(file && line && *text);
	++*(unsigned *)arg;
}

static void compile(const struct lwm2m_registry *r)
{
	struct lwm2m_registry *again;
	uint8_t *table, *same;
	size_t len, same_len;

	must(!lwm2m_registry_save(r, &table, &len));
	must(!lwm2m_registry_new(&again));
	must(!lwm2m_registry_load(again, table, len));
	must(lwm2m_registry_objects(again) == lwm2m_registry_objects(r));
	must(!lwm2m_registry_save(again, &same, &same_len));
	must(same_len == len && !memcmp(same, table, len));
	lwm2m_registry_free(again);
	free(same);
	free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lwm2m_registry *r;
	unsigned faults = 0;
	int err;

	must(!lwm2m_registry_new(&r));
	err = lwm2m_registry_add_xml_text(r, "x.xml", (const char *)data, size, count_fault, &faults);
	must(err == 0 || (err == -EINVAL && faults) || err == -ENOMEM);
	must(err || !faults);
	must(!err || !lwm2m_registry_objects(r));
	if (!err)
		compile(r);
	lwm2m_registry_free(r);
	return 0;
}
