/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - the JSON that we send, written straight into a buffer
 *
 * Only what the schemas of every release know, Rel-15 included, is ever sent. A member is written with the comma before
 * it, except the first.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/octets.h"
#include "link/t8/t8.h"

static void raw(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text));
}

/* A JSON string, RFC 8259 7. What we write is ours or from the configuration, which is UTF-8. */
static void quoted(struct writer *w, const char *text)
{
	write_u8(w, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		char escape[8];

		if (c == '"' || c == '\\')
			write_u8(w, '\\');
		if (c < 0x20) {
			snprintf(escape, sizeof escape, "\\u%04x", c);
			raw(w, escape);
		} else {
			write_u8(w, c);
		}
	}
	write_u8(w, '"');
}

static void member(struct writer *w, const char *key, const char *text)
{
	raw(w, w->p[-1] == '{' ? "\"" : ",\"");
	raw(w, key);
	raw(w, "\":");
	quoted(w, text);
}

static void identity(struct writer *w, const struct t8_dev *d)
{
	member(w, d->id[0] == 'm' ? "msisdn" : "externalId", d->id + 1);
}

static void duration(struct writer *w, const struct t8_dev *d)
{
	const struct t8_conf *c = t8_of((struct t8_dev *)(uintptr_t)d)->conf;
	uint64_t life_s = c->config_duration_s ? c->config_duration_s : d->life_s;
	char text[40];

	if (!life_s)
		return;
	clock_format(text, sizeof text, clock_wall_ms() + life_s * 1000);
	member(w, "duration", text);
}

static size_t finish(struct writer *w)
{
	raw(w, "}");
	return w->failed ? 0 : writer_len(w);
}

static void rds_ports(struct writer *w, const struct t8_conf *c)
{
	char text[64];
	unsigned ue, scef;

	if (!c->rds_ports.n)
		return;
	raw(w, w->p[-1] == '{' ? "\"rdsPorts\":[" : ",\"rdsPorts\":[");
	for (size_t i = 0; i < c->rds_ports.n && t8_rds_pair(c->rds_ports.v[i], &ue, &scef); i++) {
		snprintf(text, sizeof text, "%s{\"portUE\":%u,\"portSCEF\":%u}", i ? "," : "", ue, scef);
		raw(w, text);
	}
	raw(w, "]");
}

size_t t8_body_create(const struct t8_dev *d, char *buf, size_t size)
{
	const struct t8_link *l = (const struct t8_link *)d->base.link;
	const struct t8_conf *c = l->conf;
	struct writer w = writer_of(buf, size);

	raw(&w, "{");
	/* bits 3 and 4: test notification, cancellation of deliveries */
	member(&w, "supportedFeatures", c->features ? c->features : c->test_notification ? "c" : "8");
	identity(&w, d);
	if (c->config_duration_s)
		duration(&w, d);
	rds_ports(&w, c);
	if (c->pdn_option)
		member(&w, "pdnEstablishmentOption", c->pdn_option);
	member(&w, "notificationDestination", l->destination);
	if (c->test_notification)
		raw(&w, ",\"requestTestNotification\":true");
	return finish(&w);
}

size_t t8_body_patch(const struct t8_dev *d, bool destination, char *buf, size_t size)
{
	const struct t8_link *l = (const struct t8_link *)d->base.link;
	struct writer w = writer_of(buf, size);

	raw(&w, "{");
	if (l->conf->config_duration_s || !destination)
		duration(&w, d);
	if (destination)
		member(&w, "notificationDestination", l->destination);
	rds_ports(&w, l->conf);
	return finish(&w);
}

#define LATENCY_MAX_S 2592000 /* 30 days, the most that the link may be configured with */

/* Who holds data for a sleeper is the caller's choice: 0 is not to be kept by the network, whatever the link says. */
static uint64_t latency_s(const struct t8_conf *c, const struct t8_item *it)
{
	if (!it->latency_s)
		return 0;
	if (it->latency_s < 0 || c->maximum_latency_s)
		return c->maximum_latency_s;
	return it->latency_s < LATENCY_MAX_S ? (uint64_t)it->latency_s : LATENCY_MAX_S;
}

size_t t8_body_deliver(const struct t8_dev *d, const struct t8_item *it, char *buf, size_t size)
{
	const struct t8_conf *c = ((const struct t8_link *)d->base.link)->conf;
	char text[BASE64_LEN(T8_UNIT_MAX) + 1];
	struct writer w = writer_of(buf, size);

	base64_encode(text, it->data, it->len);
	raw(&w, "{");
	identity(&w, d);
	raw(&w, ",\"data\":\"");
	raw(&w, text);
	snprintf(text, sizeof text, "\",\"maximumLatency\":%llu", (unsigned long long)latency_s(c, it));
	raw(&w, text);
	if (it->port_ue >= 0 && it->port_scef >= 0) {
		snprintf(text, sizeof text, ",\"rdsPort\":{\"portUE\":%d,\"portSCEF\":%d}", it->port_ue, it->port_scef);
		raw(&w, text);
	}
	if (c->pdn_option)
		member(&w, "pdnEstablishmentOption", c->pdn_option);
	return finish(&w);
}
