/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - the table of link kinds, and what every link starts with
 *
 * A new kind is a folder beside this file and one line in each table here. The kinds of the contract that are not built
 * are listed, so that a configuration that names one is told so.
 */
#include "link/link.h"

#include <stdio.h>

#include "link/t8/conf.h"
#include "link/udp/conf.h"

enum { LINK_T8, LINK_MODEM, LINK_SERIAL, LINK_UDP, LINK_TYPE_COUNT };

const char *const link_type_words[] = { "t8", "modem", "serial", "udp", NULL };

const char *const link_cause_names[LINK_CAUSE_COUNT] = {
	[LINK_CAUSE_NONE] = "none",       [LINK_CAUSE_ASLEEP] = "asleep",       [LINK_CAUSE_TEMPORARY] = "temporary",
	[LINK_CAUSE_REFUSED] = "refused", [LINK_CAUSE_TOO_LARGE] = "too_large", [LINK_CAUSE_BARRED] = "barred",
	[LINK_CAUSE_EXPIRED] = "expired", [LINK_CAUSE_NO_BEARER] = "no_bearer",
};

const char *const link_result_names[LINK_RES_COUNT] = {
	[LINK_RES_ANSWERED] = "answered",   [LINK_RES_FORWARDED] = "forwarded",
	[LINK_RES_DUPLICATE] = "duplicate", [LINK_RES_MALFORMED] = "malformed",
	[LINK_RES_REFUSED] = "refused",     [LINK_RES_UNKNOWN_DEVICE] = "unknown_device",
	[LINK_RES_TOO_BIG] = "too_big",     [LINK_RES_QUOTA] = "quota",
	[LINK_RES_DROPPED] = "dropped",     [LINK_RES_FAILED] = "failed",
};

static const char *const down_result_names[LINK_DOWN_RES_COUNT] = {
	[LINK_DOWN_RES_SENT] = "sent",
	[LINK_DOWN_RES_BUFFERED] = "buffered",
	[LINK_DOWN_RES_DELIVERED] = "delivered",
	[LINK_DOWN_RES_FAILED] = "failed",
};

/* clang-format off */
const struct conf_item link_items[] = {
	CONF_WORD(struct link_conf, type, NULL, link_type_words, .required = true, .reload = CONF_RESTART,
		  .unbuilt = 1u << LINK_MODEM | 1u << LINK_SERIAL,
		  .help = "What the link is: t8 an SCEF or NEF with the T8 API, udp an operator's point-to-point tunnel."),
	CONF_BOOL(struct link_conf, enabled, true, .help = "False: the link is not opened and its devices are not reached."),
	CONF_BOOL(struct link_conf, journal, true, .reload = CONF_RESTART,
		  .help = "Write units to the journal before they are acknowledged; false: what is under way does not outlive the process."),
	CONF_END
};
/* clang-format on */

const struct conf_variant link_variants[] = {
	{ "t8", link_t8_items, sizeof(struct t8_conf), true },
	{ "modem", NULL, sizeof(struct link_conf), false },
	{ "serial", NULL, sizeof(struct link_conf), false },
	{ "udp", link_udp_items, sizeof(struct udp_conf), true },
	{ NULL, NULL, 0, false },
};

static const struct link_ops *const kinds[LINK_TYPE_COUNT] = { [LINK_T8] = &link_t8_ops, [LINK_UDP] = &link_udp_ops };

const struct link_ops *link_ops_of(const struct link_conf *conf)
{
	return conf->type >= 0 && conf->type < LINK_TYPE_COUNT ? kinds[conf->type] : NULL;
}

void links_end(const struct link_env *env)
{
	for (int k = 0; k < LINK_TYPE_COUNT; k++)
		if (kinds[k] && kinds[k]->end)
			kinds[k]->end(env);
}

void link_init(struct link *l, const struct link_ops *ops, const struct link_conf *conf, const struct link_env *env)
{
	char peer[320], labels[400];

	l->ops = ops;
	l->conf = conf;
	l->env = env;
	metrics_label(peer, sizeof peer, conf->head.name);
	for (int r = 0; r < LINK_RES_COUNT; r++) {
		snprintf(labels, sizeof labels, "transport=\"%s\",peer=\"%s\",result=\"%s\"", ops->name, peer,
			 link_result_names[r]);
		l->results[r] = metrics_counter(env->metrics, "uplink_total", labels,
						"Units from devices by what became of them.");
	}
	for (int r = 0; r < LINK_DOWN_RES_COUNT; r++) {
		snprintf(labels, sizeof labels, "transport=\"%s\",peer=\"%s\",result=\"%s\"", ops->name, peer,
			 down_result_names[r]);
		l->down_results[r] = metrics_counter(
			env->metrics, "downlink_total", labels,
			"Units to devices: sent is each that the link took, the others are what "
			"the network told of units.");
	}
	snprintf(labels, sizeof labels, "transport=\"%s\",peer=\"%s\"", ops->name, peer);
	l->bytes_up = metrics_counter(env->metrics, "uplink_bytes_total", labels,
				      "Octets of the units that devices sent.");
}
