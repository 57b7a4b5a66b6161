/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_link_format.c - lists of objects (F13): what is read has a path that can be read again */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/objects.h"
#include "lwm2m/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* What a path is printed as gives that path. */
static void must_print(const struct lwm2m_path *p)
{
	char text[LWM2M_PATH_TEXT];
	struct lwm2m_path same;

	must(!lwm2m_path_parse(&same, NULL, text, lwm2m_path_print(text, p), NULL));
	must(same.depth == p->depth && !memcmp(same.id, p->id, sizeof p->id));
}

static void check(const struct lwm2m_objects *o)
{
	must(o->n <= LWM2M_OBJECTS_MAX && o->base.len <= LWM2M_BASE_MAX);
	must(!o->base.len || o->base.p[0] == '/');
	for (size_t i = 0; i < o->n; i++) {
		const struct lwm2m_path p = { .id = { o->v[i].object, o->v[i].instance }, .depth = 2 };

		must(o->v[i].object != 0 && o->v[i].object != 21 && o->v[i].object != 23);
		must(!lwm2m_path_is_secret(&p, NULL));
		(void)lwm2m_objects_version(o, o->v[i].object);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lwm2m_text prefix, base = { 0 };
	struct lwm2m_objects *o = NULL;
	struct lwm2m_path path;
	int err = lwm2m_objects_new(&o, (const char *)data, size);

	must(err == 0 || err == -EBADMSG || err == -EMSGSIZE || err == -ENOMEM);
	if (!err) {
		check(o);
		base = o->base;
	}
	if (!lwm2m_path_parse(&path, &prefix, (const char *)data, size, NULL))
		must_print(&path);
	if (!lwm2m_path_parse(&path, &prefix, (const char *)data, size, &base))
		must_print(&path);
	lwm2m_objects_free(o);
	return 0;
}
