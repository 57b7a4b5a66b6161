/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - one configuration file against a schema that has every type
 *
 * What is sound must still be sound when it is printed as effective and read again, secrets aside.
 */
#include <stdio.h>
#include <stdlib.h>

#include "unit/config/schema_all.h"

/* libconfig 1.5 loses the string it was reading when it meets a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static void check_all(struct conf_load *load, void *arg)
{
	const struct t_root *root = arg;

	conf_fault(load, &root->gateway, "id", -1, "%s", root->gateway.id);
	for (size_t i = 0; i < root->links.n; i++) {
		const struct t_link *l = root->links.v[i];

		if (l->type == 0)
			conf_fault(load, &((const struct t_t8 *)root->links.v[i])->callback, "listen", -1, "x");
	}
	for (size_t i = 0; i < root->devices.n; i++) {
		const struct t_device *d = root->devices.v[i];

		for (size_t k = 0; k < d->servers.n; k++)
			conf_fault(load, d, "servers", (int)k, "%s", d->servers.v[k]);
	}
}

static bool has_secret(const struct t_root *root)
{
	for (size_t i = 0; i < root->links.n; i++) {
		const struct t_link *l = root->links.v[i];

		if (l->type == 0 && ((const struct t_t8 *)root->links.v[i])->password)
			return true;
	}
	return false;
}

static void print_and_load_again(struct conf *c, const struct conf_schema *schema)
{
	struct conf *again = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		abort();
	conf_print(c, schema, to);
	fclose(to);
	if (conf_load_text(&again, "printed", text, len, schema, NULL) && !has_secret(conf_root(c)))
		abort();
	conf_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct conf_schema plain = { t_items, sizeof(struct t_root), NULL, NULL },
				 checked = { t_items, sizeof(struct t_root), check_all, NULL };
	struct conf *c = NULL;
	char *faults = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&faults, &len);

	if (!to)
		abort();
	if (!conf_load_text(&c, "fuzz", (const char *)data, size, &plain, to))
		print_and_load_again(c, &plain);
	conf_free(c);
	c = NULL;
	conf_load_text(&c, "fuzz", (const char *)data, size, &checked, to);
	conf_free(c);
	fclose(to);
	free(faults);
	return 0;
}
