/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - the list of all configurations, and the sweep over deadlines
 *
 * The list is read at the start, every six hours, and after surprises: operators delete resources behind our back, and
 * a peer that restarted may have lost them all. It has no paging, so it is read as it arrives. Devices have no timers
 * of their own for deadlines that are hours away: a cursor passes all of them within half a minute.
 */
#include <errno.h>
#include <string.h>

#include "base/random.h"
#include "link/t8/t8.h"

#define SWEEP_S 30u
#define SWEEP_LEAST 1000u
#define URGENT_GAP_MS 5000u

static struct t8_dev *device_of(const struct t8_link *l, const struct t8_config_answer *a)
{
	struct t8_dev *d = NULL;

	if (*a->external_id)
		d = t8_dev_by_id(l, 'e', a->external_id);
	if (!d && *a->msisdn)
		d = t8_dev_by_id(l, 'm', a->msisdn);
	return d;
}

static void on_object(void *arg, const char *text, size_t len)
{
	struct t8_link *l = arg;
	struct t8_config_answer a;
	struct t8_dev *d;

	if (t8_config_read(&a, text, len, l->scs))
		return;
	d = device_of(l, &a);
	if (d)
		t8_config_found(d, &a);
	else
		l->strangers++;
}

static int on_part(void *arg, const char *data, size_t len)
{
	struct t8_link *l = ((struct t8_call *)arg)->l;

	if (!t8_list_feed(&l->list, data, len))
		return 0;
	l->list_junk += len; /* an error page, most likely: its status is still to come */
	return l->list_junk > T8_LIST_OBJECT ? -EBADMSG : 0;
}

/* Every device that the whole list did not show. */
static void finish(struct t8_link *l)
{
	for (uint32_t i = 0; i < l->devs_n; i++) {
		struct t8_dev *d = l->devs[i];

		if (d->seen_run != l->run)
			t8_config_missing(d);
	}
	if (l->strangers)
		log_ev(LOG_NOTICE, ROOM, "config.strangers", LF_STR("link", t8_name(l)),
		       LF_UINT("count", l->strangers));
	log_ev(LOG_INFO, ROOM, "config.listed", LF_STR("link", t8_name(l)), LF_UINT("count", l->list.objects),
	       LF_UINT("too_large", l->list.skipped), LF_UINT("devices", l->devs_n));
}

/* Without a list nothing can be adopted, so what is missing is made. */
static void go_without(struct t8_link *l, int status)
{
	log_ev(LOG_WARNING, ROOM, "config.no_list", LF_STR("link", t8_name(l)), LF_INT("status", status));
	for (uint32_t i = 0; i < l->devs_n; i++)
		if (l->devs[i]->state == T8_CFG_ABSENT || l->devs[i]->state == T8_CFG_CONFLICT)
			t8_config_missing(l->devs[i]);
}

static void on_listed(struct t8_call *c, const struct t8_reply *r)
{
	struct t8_link *l = c->l;
	int status = r->http->outcome == HTTP_ANSWERED ? r->http->status : 0;
	uint64_t now = clock_now_ms();
	bool whole = status == 200 && t8_list_complete(&l->list);

	l->list_call = NULL;
	if (whole) {
		finish(l);
	} else if (status == 204 ||
		   (status >= 400 && status < 500 && status != 401 && status != 408 && status != 429)) {
		go_without(l, status);
	} else {
		l->list_at_ms = now + t8_backoff_ms(l->list_tries);
		l->list_tries = (uint8_t)(l->list_tries + (l->list_tries < 16));
		t8_list_fini(&l->list);
		return;
	}
	t8_list_fini(&l->list);
	l->listed = true;
	l->list_tries = 0;
	l->listed_ms = now;
	t8_list_want(l, now + AUDIT_MS - random_below(AUDIT_MS / 10), false);
}

void t8_list_want(struct t8_link *l, uint64_t at_ms, bool urgent)
{
	uint64_t gap_ms = urgent ? URGENT_GAP_MS : AUDIT_GAP_MS;

	if (l->conf->config_mode == T8_CONFIG_NONE)
		return;
	if (l->listed_ms && at_ms < l->listed_ms + gap_ms)
		at_ms = l->listed_ms + gap_ms;
	if (!l->list_at_ms || at_ms < l->list_at_ms)
		l->list_at_ms = at_ms;
}

void t8_list_start(struct t8_link *l)
{
	uint64_t due = l->list_at_ms;

	t8_list_init(&l->list, on_object, l);
	l->list_junk = 0;
	l->strangers = 0;
	l->list_at_ms = 0;
	if (!++l->run)
		l->run = 1;
	if (t8_request(l, &l->list_call, T8_OP_LIST, NULL, l->scs, "/configurations", NULL, 0, on_part, on_listed))
		l->list_at_ms = due;
}

static void sweep_one(struct t8_dev *d, uint32_t now)
{
	struct t8_link *l = t8_of(d);
	uint64_t held;

	if ((d->flags & D_TEST) && now - d->active_s > TEST_WAIT_S) {
		d->flags &= (uint16_t)~D_TEST;
		++*l->test_missing;
		if (log_limit(&l->note_limit, clock_now_ms(), 60000, &held))
			log_ev(LOG_WARNING, ROOM, "callback.unproven", LF_STR("link", t8_name(l)),
			       LF_STR("dev", d->id + 1), LF_UINT("held", held));
	}
	if (d->retry_s && now >= d->retry_s) {
		d->retry_s = 0;
		t8_config_queue(d, false);
	}
	if (d->renew_s && now >= d->renew_s) {
		d->renew_s = 0;
		d->flags |= D_RENEW;
		t8_config_queue(d, false);
	}
	if (d->expires_s && now >= d->expires_s) {
		d->expires_s = 0;
		t8_config_event(d, T8_EV_GONE, NULL);
	}
}

void t8_sweep(struct t8_link *l)
{
	uint32_t now = t8_now_s(), n = l->devs_n / SWEEP_S + 1;

	if (n < SWEEP_LEAST)
		n = SWEEP_LEAST < l->devs_n ? SWEEP_LEAST : l->devs_n;
	while (n-- && l->devs_n) {
		if (l->sweep_at >= l->devs_n)
			l->sweep_at = 0;
		sweep_one(l->devs[l->sweep_at++], now);
	}
}
