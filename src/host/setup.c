/* SPDX-License-Identifier: Apache-2.0 */
/* setup.c - options of an instance: what the configuration says, else the default of the table
 *
 * The daemon has checked them by the same table. What is asked again here is only what a table of another version of
 * the library could have changed meanwhile: whether all that is required is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/parts.h"

static const struct niddgw_option *option_of(const struct niddgw_plugin *p, const char *name)
{
	for (const struct niddgw_option *o = p->options; o && o->name; o++)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

const struct host_setting *host_setting(const struct niddgw_host *h, const char *name)
{
	for (size_t i = 0; i < h->settings_n; i++)
		if (!strcmp(h->settings[i].name, name))
			return &h->settings[i];
	return NULL;
}

static int add_setting(struct niddgw_host *h, const struct frame_setting *s)
{
	struct host_setting *to = &h->settings[h->settings_n];
	struct reader r = s->texts;

	if (!option_of(&h->plugin, s->name) || host_setting(h, s->name))
		return 0; /* of the daemon's table, not of this library's */
	to->texts = calloc((size_t)s->n + 1, sizeof *to->texts);
	if (!to->texts)
		return -ENOMEM;
	to->name = s->name;
	h->settings_n++;
	for (to->n = 0; to->n < s->n; to->n++)
		if (frame_next_text(&r, &to->texts[to->n]))
			return -EBADMSG;
	return 0;
}

static int add_default(struct niddgw_host *h, const struct niddgw_option *o)
{
	struct host_setting *to = &h->settings[h->settings_n];

	to->texts = calloc(2, sizeof *to->texts);
	if (!to->texts)
		return -ENOMEM;
	to->name = o->name;
	to->texts[0] = o->fallback;
	to->n = o->fallback ? 1 : 0;
	h->settings_n++;
	return 0;
}

/* The table has at most as many options as there is room. */
static int add_defaults(struct niddgw_host *h, char why[HOST_WHY_SIZE])
{
	for (const struct niddgw_option *o = h->plugin.options; o && o->name; o++) {
		if (host_setting(h, o->name))
			continue;
		if (o->required) {
			snprintf(why, HOST_WHY_SIZE, "its option \"%.64s\" is required and missing", o->name);
			return -EINVAL;
		}
		if (add_default(h, o))
			return -ENOMEM;
	}
	return 0;
}

/* The texts are pointed to for as long as the plug-in is open. */
static int keep_body(struct niddgw_host *h, const struct frame *f, struct frame *copy)
{
	const size_t n = reader_left(&f->body);

	h->setup = malloc(n + 1);
	if (!h->setup)
		return -ENOMEM;
	if (n)
		memcpy(h->setup, f->body.p, n);
	*copy = (struct frame){ f->kind, reader_of(h->setup, n) };
	return 0;
}

int host_take_setup(struct niddgw_host *h, struct frame *f, char why[HOST_WHY_SIZE])
{
	struct frame_setting one;
	struct frame_setup s;
	struct frame copy;
	int err = keep_body(h, f, &copy);

	if (err)
		return err;
	err = frame_read_setup(&copy, &s);
	if (err)
		return err;
	h->instance = s.instance;
	h->gateway_id = s.gateway_id;
	h->boot_id = s.boot_id;
	h->state_dir = s.state_dir;
	for (uint32_t i = 0; i < s.n && !err; i++) {
		err = frame_next_setting(&s.settings, &one);
		if (!err)
			err = add_setting(h, &one);
	}
	return err ? err : add_defaults(h, why);
}

void host_setup_fini(struct niddgw_host *h)
{
	for (size_t i = 0; i < h->settings_n; i++)
		free(h->settings[i].texts);
	h->settings_n = 0;
	free(h->setup);
	h->setup = NULL;
}
