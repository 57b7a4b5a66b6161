/* SPDX-License-Identifier: Apache-2.0 */
/* north.c - what all associations share: ports, descriptors, the poll set
 *
 * The sockets of all associations sit in an epoll set of our own that is one descriptor to the loop: an association
 * then costs its socket and a few octets, and no event structure of the loop.
 */
#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <net/if.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/secret.h"
#include "north/parts.h"

enum { ROUNDS = 8 };

void assoc_list_move_all(struct assoc_list *to, struct assoc_list *from)
{
	if (assoc_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	assoc_list_init(from);
}

/* One descriptor per association: take all that the system grants. */
static void raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur == r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r))
		log_ev(LOG_WARNING, "north", "descriptors", LF_STR("error", strerror(errno)));
}

/* Ports that the kernel also hands out can be taken by anybody while the daemon is down. */
static void warn_of_ephemeral_ports(const struct ports *p)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first, last;

	if (!f)
		return;
	if (fscanf(f, "%u %u", &first, &last) == 2 && p->first <= last && p->last >= first)
		log_ev(LOG_WARNING, "north", "ports.ephemeral", LF_UINT("first", first), LF_UINT("last", last),
		       LF_STR("text", "north.ports overlap the system's ephemeral ports"));
	fclose(f);
}

/* ---- the poll set ---- */

/* Callbacks may close any association, also the one they are called for: it is then taken out of the batch. */
void north_poll_ready(void *arg, int fd, unsigned what)
{
	struct north *n = arg;
	int ready;

	(void)what;
	for (int round = 0; round < ROUNDS; round++) {
		ready = n->batch_n = epoll_wait(fd, n->batch, NORTH_BATCH, 0);
		for (n->batch_at = 0; n->batch_at < n->batch_n; n->batch_at++) {
			const struct epoll_event *e = &n->batch[n->batch_at];

			n->current = e->data.ptr;
			if (n->current)
				assoc_transport(n->current)->ready(n->current, e->events);
			n->current = NULL;
		}
		n->batch_at = n->batch_n = 0;
		if (ready < NORTH_BATCH)
			break; /* what comes in meanwhile wakes the loop again */
	}
}

/* ---- open and close ---- */

static int configure(struct north *n, const struct north_conf *conf)
{
	uint16_t first, last;

	if (ports_range_parse(&first, &last, conf->ports))
		return -EINVAL;
	if (conf->bind && north_bind_parse(&n->local, conf->bind))
		return -EINVAL;
	if (conf->interface && strlen(conf->interface) >= sizeof n->interface)
		return -EINVAL;
	if (conf->interface)
		strcpy(n->interface, conf->interface);
	ports_init(&n->ports, first, last);
	return 0;
}

/* Apart from the hashes of ports, which others see. */
static int derive_key(struct north *n)
{
	static const uint8_t what[] = "resumption";
	uint8_t in[32 + sizeof what];
	int ok;

	memcpy(in, n->env.key, 32);
	memcpy(in + 32, what, sizeof what);
	ok = EVP_Digest(in, sizeof in, n->resume_key, NULL, EVP_sha256(), NULL);
	secret_wipe(in, sizeof in);
	return ok ? 0 : -ENOMEM;
}

int north_open(struct north **out, const struct north_conf *conf, const struct north_env *env)
{
	struct north *n = calloc(1, sizeof *n);
	int err;

	if (!n)
		return -ENOMEM;
	n->env = *env;
	n->poll = n->route = -1;
	assoc_list_init(&n->ended);
	assoc_list_init(&n->dirty);
	n->resolv_conf = "/etc/resolv.conf";
	n->hosts = "/etc/hosts";
	err = configure(n, conf);
	if (!err)
		err = derive_key(n);
	if (err)
		goto fail;
	raise_descriptor_limit();
	warn_of_ephemeral_ports(&n->ports);
	n->poll = epoll_create1(EPOLL_CLOEXEC);
	if (n->poll < 0) {
		err = -errno;
		goto fail;
	}
	err = loop_watch(env->loop, &n->watch, n->poll, LOOP_READ, north_poll_ready, n);
	if (err)
		goto fail;
	n->hook.fn = assoc_deliver;
	n->hook.arg = n;
	loop_hook_add(env->loop, &n->hook);
	routes_open(n);
	*out = n;
	return 0;
fail:
	north_close(n);
	return err;
}

/* A lookup that was cancelled is reported once more by the resolver, from the loop: it needs a turn for that. */
static void finish_lookups(struct north *n)
{
	struct event_base *base = loop_base(n->env.loop);

	for (int i = 0; n->lookups && i < 16; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	if (n->dns)
		evdns_base_free(n->dns, 0);
}

void north_close(struct north *n)
{
	if (!n)
		return;
	finish_lookups(n);
	routes_close(n);
	if (n->hook.fn)
		loop_hook_remove(n->env.loop, &n->hook);
	loop_unwatch(n->watch);
	if (n->poll >= 0)
		close(n->poll);
	BIO_meth_free(n->bio_method);
	timer_cancel(loop_timers(n->env.loop), &n->flush_timer);
	free(n->item);
	if (n->ports_alarm)
		alarm_clear(n->env.alarms, "north.ports", "north");
	secret_wipe(n->resume_key, sizeof n->resume_key);
	free(n);
}
