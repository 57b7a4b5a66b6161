/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.c - the mirror of a scenario: its reports stand among what was sent
 *
 * A report is one line of words: `mirror DEVICE SERVER OP PATH FORMAT CONFIRMED bytes=N` and its values, or `mirror
 * DEVICE SERVER raw KIND up bytes=N` and what is visible.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/registry.h"
#include "mirror/mirror.h"
#include "replay.h"

static struct lwm2m_registry *registry;

static const char *word(const char *text)
{
	return text ? text : "-";
}

/* ---- values ---- */

static void print_octets(FILE *f, const uint8_t *p, size_t n, bool text)
{
	for (size_t i = 0; i < n; i++)
		if (text && p[i] > ' ' && p[i] < 0x7f && p[i] != '"')
			fputc(p[i], f);
		else
			fprintf(f, text ? "_" : "%02x", p[i]);
}

static void print_kind(FILE *f, const struct niddgw_value *v)
{
	switch (v->type) {
	case NIDDGW_STRING:
	case NIDDGW_CORELNK:
		fputs(v->type == NIDDGW_STRING ? "string:" : "corelnk:", f);
		print_octets(f, v->data, v->len, true);
		break;
	case NIDDGW_INTEGER:
		fprintf(f, "integer:%" PRId64, v->integer);
		break;
	case NIDDGW_UNSIGNED:
		fprintf(f, "unsigned:%" PRIu64, v->uinteger);
		break;
	case NIDDGW_FLOAT:
		fprintf(f, "float:%.17g", v->number);
		break;
	case NIDDGW_BOOLEAN:
		fprintf(f, "boolean:%s", v->boolean ? "true" : "false");
		break;
	case NIDDGW_OPAQUE:
		fputs("opaque:", f);
		print_octets(f, v->data, v->len, false);
		break;
	case NIDDGW_TIME:
		fprintf(f, "time:%" PRId64, v->integer);
		break;
	case NIDDGW_OBJLNK:
		fprintf(f, "objlnk:%u:%u", v->link[0], v->link[1]);
		break;
	default:
		fputs("none", f);
		break;
	}
}

static void print_value(FILE *f, const struct niddgw_value *v)
{
	fputc(' ', f);
	for (unsigned i = 0; i < v->path_len; i++)
		fprintf(f, "/%u", v->path[i]);
	fputc('=', f);
	print_kind(f, v);
	if (v->unit)
		fprintf(f, "[%s]", v->unit);
	if (v->has_time)
		fprintf(f, "@%" PRIu64 ".%03u", v->time_ms / 1000, (unsigned)(v->time_ms % 1000));
}

/* ---- reports ---- */

void mirror_print_values(FILE *f, const struct report *r)
{
	for (size_t i = 0; i < r->values_n; i++)
		print_value(f, &r->values[i]);
}

static void print_data(FILE *f, const struct report *r)
{
	static const char *const confirmed[] = { "null", "false", "true" };

	fprintf(f, "%s %s %s %s bytes=%zu", r->op, word(r->path), word(r->format), confirmed[r->confirmed + 1],
		r->unit_bytes);
	mirror_print_values(f, r);
	for (size_t i = 0; i < r->links_n; i++)
		fprintf(f, " %s%s%s", r->links[i].path, r->links[i].version ? ";" : "",
			r->links[i].version ? r->links[i].version : "");
}

static void print_raw(FILE *f, const struct report *r)
{
	fprintf(f, "raw %s %s bytes=%zu", r->kind_word, r->down ? "down" : "up", r->unit_bytes);
	if (r->reason)
		fprintf(f, " reason=%s", r->reason);
	if (r->has_coap)
		fprintf(f, " coap=%s,%u.%02u,%u,%u", r->coap_type, r->coap_code >> 5, r->coap_code & 31, r->coap_mid,
			r->coap_token_bytes);
	if (r->has_kid) {
		fputs(" kid=", f);
		print_octets(f, r->kid, r->kid_len, false);
	}
	if (r->has_kid_context) {
		fputs(" context=", f);
		print_octets(f, r->kid_context, r->kid_context_len, false);
	}
	if (!strcmp(r->kind_word, "oscore"))
		fprintf(f, " piv=%u", r->piv_bytes);
	if (!strcmp(r->kind_word, "dtls"))
		fprintf(f, " type=%u epoch=%u", r->dtls_content_type, r->dtls_epoch);
	fprintf(f, " payload=%zu", r->payload ? r->payload_len : 0);
}

static void on_report(void *arg, const struct report *r)
{
	static char before[27];
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)arg;
	if (!f)
		abort();
	if (strcmp(before, r->id) >= 0)
		fail("report %s comes after %s", r->id, before);
	memcpy(before, r->id, sizeof before);
	fprintf(f, "mirror %s %s ", r->device, word(r->server));
	if (r->kind == NIDDGW_RECORD_DATA)
		print_data(f, r);
	else
		print_raw(f, r);
	fclose(f);
	output_add(NULL, 0, "%s", text);
	free(text);
}

/* ---- life ---- */

static void on_fault(void *arg, const char *file, unsigned line, const char *text)
{
	(void)arg;
	fail("%s:%u: %s", file, line, text);
}

static void load_objects(const char *list)
{
	const char *slash = strrchr(world.file, '/');
	char path[4096];

	if (lwm2m_registry_new(&registry))
		abort();
	while (list && *list) {
		int n = (int)strcspn(list, ",");

		snprintf(path, sizeof path, "%.*s../../../src/lwm2m/objects/%.*s.xml",
			 slash ? (int)(slash - world.file) + 1 : 0, world.file, n, list);
		if (lwm2m_registry_add_xml(registry, path, on_fault, NULL))
			fail("%s cannot be read", path);
		list += n + (list[n] == ',');
	}
}

bool mirror_line(const struct words *w)
{
	if (strcmp(w->v[0], "mirror") != 0 || (w->n > 1 && !word_value(w->v[1], "objects")))
		return false;
	if (world.sessions || world.mirrored)
		fail("mirror stands once, before the first command");
	world.mirrored = true;
	load_objects(words_find(w, 1, "objects"));
	return true;
}

void mirror_command(const struct words *w)
{
	bool on = w->n == 2 && strcmp(w->v[1], "on") == 0;

	if (!world.mirror || w->n != 2 || (!on && strcmp(w->v[1], "off") != 0))
		fail("mirror on, or off");
	mirror_listen(world.mirror, on);
}

void mirror_run(void)
{
	const struct mirror_env env = { .metrics = world.metrics, .report = on_report };

	if (!world.mirrored)
		return;
	if (mirror_new(&world.mirror, &env))
		abort();
	mirror_set_registry(world.mirror, registry);
	mirror_listen(world.mirror, true);
}

void mirror_ended(void)
{
	mirror_free(world.mirror);
	world.mirror = NULL;
}

void mirror_end(void)
{
	lwm2m_registry_free(registry);
	registry = NULL;
}
