/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - loading: read, fill, check, print what was wrong */
#include "config/config.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

const char *conf_dir(const struct conf *c)
{
	return c->dir;
}

void *conf_root(struct conf *c)
{
	return c->root;
}

void *conf_arg(const struct conf_load *load)
{
	return load->schema->arg;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	for (struct conf_grown *g = c->grown; g; g = g->next)
		free(g->list->v);
	arena_free(&c->arena);
	free(c);
}

static struct conf *conf_new(size_t root_size)
{
	struct conf *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->root = arena_alloc(&c->arena, root_size);
	if (c->root)
		return c;
	conf_free(c);
	return NULL;
}

static int load_begin(struct conf_load *load, const struct conf_schema *schema)
{
	*load = (struct conf_load){ .schema = schema };
	load->files_end = &load->files;
	load->conf = conf_new(schema->size);
	return load->conf ? 0 : -ENOMEM;
}

static void load_fini(struct conf_load *load)
{
	for (size_t i = 0; i < load->fault_count; i++)
		free(load->faults[i].text);
	free(load->faults);
	map_fini(&load->names);
	map_fini(&load->origins);
	files_close(load);
	arena_free(&load->scratch);
	conf_free(load->conf);
	malloc_trim(0); /* the trees of a large fleet are many times what stays */
}

/* Grown lists keep no spare room. */
static void shrink(struct conf *c)
{
	for (struct conf_grown *g = c->grown; g; g = g->next) {
		void **v = g->list->n ? realloc(g->list->v, g->list->n * sizeof *v) : NULL;

		if (v)
			g->list->v = v;
	}
}

/* The files are read: the rest. Ends the load. */
static int load_end(struct conf_load *load, struct conf **out, FILE *faults)
{
	int err = 0;

	fill(load);
	if (load->schema->check && !load->no_memory)
		load->schema->check(load, load->conf->root);
	if (faults)
		faults_print(load, faults);
	if (load->no_memory)
		err = -ENOMEM;
	else if (load->fault_count)
		err = -EINVAL;
	if (!err) {
		shrink(load->conf);
		*out = load->conf;
		load->conf = NULL;
	}
	load_fini(load);
	return err;
}

int conf_load(struct conf **out, const char *file, const struct conf_schema *schema, FILE *faults)
{
	struct conf_load load;
	int err = load_begin(&load, schema);

	if (err)
		return err;
	err = files_read(&load, file);
	if (err && faults)
		faults_print(&load, faults);
	if (!err)
		return load_end(&load, out, faults);
	if (load.no_memory)
		err = -ENOMEM;
	load_fini(&load);
	return err == -ENOMEM ? err : -ENOENT;
}

int conf_load_text(struct conf **out, const char *name, const char *text, size_t len, const struct conf_schema *schema,
		   FILE *faults)
{
	struct conf_load load;
	int err = load_begin(&load, schema);

	if (err)
		return err;
	err = files_take(&load, name, text, len);
	if (!err)
		return load_end(&load, out, faults);
	load_fini(&load);
	return err;
}
