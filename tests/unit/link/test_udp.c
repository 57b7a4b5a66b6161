/* SPDX-License-Identifier: Apache-2.0 */
/* test_udp.c - stands for src/link/udp/: real sockets on loopback, driven by the real loop */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "link/udp/inside.h"

enum { PATIENCE_MS = 5000, SEEN_MAX = 4096 };

struct device { /* the session's, here the test's */
	struct link_dev *link_dev;
	unsigned units, empty, sent, failed;
	size_t len;
	uint8_t data[2048];
	uint32_t order[SEEN_MAX]; /* ids of sent events */
	enum link_cause cause;
	bool detach_when_sent;
};

struct fixture {
	struct loop *loop;
	struct metrics *metrics;
	struct alarms *alarms;
	struct link_env env;
	struct udp_conf conf;
	char listen[64];
	struct link *link;
	uint16_t port;
	struct link_up *held[8]; /* verdicts not given yet */
	unsigned held_n;
	bool hold;
	unsigned units, strangers;
	char stranger[64];
	struct device *adopt; /* the device for the next unknown source */
	struct loop_hook hook;
	struct timer give_up, kick;
	bool (*until)(struct fixture *f);
	bool late;
	uint64_t want;
	void *what;
};

/* ---- what the link reports ---- */

static void on_uplink(void *arg, struct link_up *up, struct device *dev, const uint8_t *data, size_t len)
{
	struct fixture *f = arg;

	f->units++;
	dev->units++;
	dev->empty += len == 0;
	dev->len = len;
	memcpy(dev->data, data, len);
	assert_int_equal(up->port_ue, -1);
	if (f->hold)
		f->held[f->held_n++] = up;
	else
		link_verdict(up, LINK_TAKEN);
}

static struct device *on_unknown(void *arg, struct link *l, const struct link_identity *id)
{
	struct fixture *f = arg;
	struct device *d = f->adopt;

	f->strangers++;
	assert_int_equal(id->kind, LINK_ID_ADDRESS);
	snprintf(f->stranger, sizeof f->stranger, "%s", id->text);
	if (d)
		assert_int_equal(link_udp_ops.attach(l, &d->link_dev, id, d, 1358), 0);
	f->adopt = NULL;
	return d;
}

static void on_down(void *arg, struct device *dev, const struct link_down_event *ev)
{
	(void)arg;
	if (ev->state == LINK_DOWN_SENT)
		dev->order[dev->sent++ % SEEN_MAX] = ev->id;
	else
		dev->failed++;
	dev->cause = ev->cause;
	if (dev->detach_when_sent && dev->link_dev) {
		link_udp_ops.detach(dev->link_dev, true);
		dev->link_dev = NULL;
	}
}

static const struct link_events events = { .uplink = on_uplink, .unknown = on_unknown, .down = on_down };

/* ---- waiting for something to become true ---- */

static void on_hook(void *arg)
{
	struct fixture *f = arg;

	if (f->until && f->until(f))
		loop_stop(f->loop);
}

static void on_give_up(struct timer *t, uint64_t now_ms)
{
	struct fixture *f = container_of(t, struct fixture, give_up);

	(void)now_ms;
	f->late = true;
	loop_stop(f->loop);
}

static void on_kick(struct timer *t, uint64_t now_ms)
{
	(void)t;
	(void)now_ms;
}

/* The first pass comes at once: what the test has sent leaves at its end. */
static bool wait_for(struct fixture *f, bool (*until)(struct fixture *f), uint64_t want, void *what)
{
	f->until = until;
	f->want = want;
	f->what = what;
	f->late = false;
	clock_tick();
	timer_set(loop_timers(f->loop), &f->give_up, clock_now_ms() + PATIENCE_MS, on_give_up);
	timer_set(loop_timers(f->loop), &f->kick, clock_now_ms(), on_kick);
	assert_int_equal(loop_run(f->loop), 0);
	timer_cancel(loop_timers(f->loop), &f->give_up);
	f->until = NULL;
	return !f->late;
}

static bool units_came(struct fixture *f)
{
	return f->units >= f->want;
}

static bool was_counted(struct fixture *f)
{
	return *f->link->results[f->want];
}

static bool left(struct fixture *f)
{
	return ((struct device *)f->what)->sent >= f->want;
}

/* ---- the device's end ---- */

static int device_socket(const char *address, uint16_t *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	inet_pton(AF_INET, address, &in.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	if (port)
		*port = ntohs(in.sin_port);
	return fd;
}

static void speak_to(int fd, const char *address, uint16_t port, const void *data, size_t len)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, address, &in.sin_addr);
	assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&in, sizeof in), len);
}

static void speak(struct fixture *f, int fd, const void *data, size_t len)
{
	speak_to(fd, "127.0.0.1", f->port, data, len);
}

/* ---- fixture ---- */

static void open_link(struct fixture *f, const char *listen)
{
	struct sockaddr_in6 bound;
	socklen_t len = sizeof bound;

	snprintf(f->listen, sizeof f->listen, "%s", listen);
	f->conf.link.head.name = "sgi";
	f->conf.link.enabled = true;
	f->conf.listen = f->listen;
	assert_int_equal(link_udp_ops.open(&f->link, &f->conf.link, &f->env), 0);
	assert_int_equal(getsockname(((struct udp_link *)f->link)->fd, (struct sockaddr *)&bound, &len), 0);
	f->port = ntohs(bound.sin6_port);    /* at the same place in both families */
	loop_hook_remove(f->loop, &f->hook); /* the test looks after the link's own hook has sent */
	loop_hook_add(f->loop, &f->hook);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	log_set(LOG_ERROR, LOG_TEXT);
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(metrics_new(&f->metrics), 0);
	assert_int_equal(alarms_new(&f->alarms, 10), 0);
	f->env = (struct link_env){
		.loop = f->loop, .metrics = f->metrics, .alarms = f->alarms, .events = &events, .arg = f
	};
	f->hook = (struct loop_hook){ .fn = on_hook, .arg = f };
	open_link(f, "127.0.0.1:0");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	link_udp_ops.close(f->link, true);
	loop_hook_remove(f->loop, &f->hook);
	loop_free(f->loop);
	metrics_free(f->metrics);
	alarms_free(f->alarms);
	free(f);
	return 0;
}

static int attach(struct fixture *f, struct device *d, const char *address)
{
	const struct link_identity id = { LINK_ID_ADDRESS, address, 0 };

	return link_udp_ops.attach(f->link, &d->link_dev, &id, d, 1358);
}

static void detach(struct device *d)
{
	link_udp_ops.detach(d->link_dev, false);
	d->link_dev = NULL;
}

static int send_unit(struct device *d, uint32_t id, const void *data, size_t len)
{
	const struct link_down how = { .id = id, .klass = LINK_REQUEST, .port_ue = -1, .port_scef = -1 };

	return link_udp_ops.send(d->link_dev, &how, data, len);
}

static struct device *device_new(void)
{
	struct device *d = calloc(1, sizeof *d);

	assert_non_null(d);
	return d;
}

/* ---- tests ---- */

static void datagram_is_a_unit_and_the_answer_goes_back_to_its_source(void **state)
{
	struct fixture *f = *state;
	struct device *d = device_new();
	char buf[16];
	int fd = device_socket("127.0.0.7", NULL);

	assert_int_equal(attach(f, d, "127.0.0.7"), 0);
	assert_int_equal(send_unit(d, 1, "x", 1), -ENOTCONN); /* not heard yet: no port is known */
	speak(f, fd, "@unit", 5);
	assert_true(wait_for(f, units_came, 1, NULL));
	assert_int_equal(d->len, 5);
	assert_memory_equal(d->data, "@unit", 5);
	assert_int_equal(send_unit(d, 7, "answer", 6), 0);
	assert_int_equal(d->sent, 0); /* it leaves at the end of the pass */
	assert_true(wait_for(f, left, 1, d));
	assert_int_equal(d->order[0], 7);
	assert_int_equal(recv(fd, buf, sizeof buf, 0), 6);
	assert_memory_equal(buf, "answer", 6);
	detach(d);
	free(d);
	close(fd);
}

static void host_is_reached_at_the_port_it_last_sent_from(void **state)
{
	struct fixture *f = *state;
	struct device *d = device_new();
	int first = device_socket("127.0.0.7", NULL), second = device_socket("127.0.0.7", NULL);
	char buf[16];

	assert_int_equal(attach(f, d, "127.0.0.7"), 0);
	speak(f, first, "1", 1);
	assert_true(wait_for(f, units_came, 1, NULL));
	speak(f, second, "2", 1);
	assert_true(wait_for(f, units_came, 2, NULL));
	assert_int_equal(send_unit(d, 1, "down", 4), 0);
	assert_true(wait_for(f, left, 1, d));
	assert_int_equal(recv(second, buf, sizeof buf, 0), 4);
	assert_int_equal(recv(first, buf, sizeof buf, MSG_DONTWAIT), -1);
	detach(d);
	free(d);
	close(first);
	close(second);
}

static void host_and_port_is_tried_before_the_host_alone(void **state)
{
	struct fixture *f = *state;
	struct device *host = device_new(), *exact = device_new();
	char address[32], buf[4];
	uint16_t port;
	int fd = device_socket("127.0.0.7", &port), other = device_socket("127.0.0.7", NULL);

	snprintf(address, sizeof address, "127.0.0.7:%u", port);
	assert_int_equal(attach(f, exact, address), 0);
	assert_int_equal(attach(f, host, "127.0.0.7"), 0);
	assert_int_equal(send_unit(exact, 1, "x", 1), 0); /* its port is configured */
	assert_true(wait_for(f, left, 1, exact));
	assert_int_equal(recv(fd, buf, sizeof buf, 0), 1);
	speak(f, fd, "1", 1);
	speak(f, other, "2", 1);
	assert_true(wait_for(f, units_came, 2, NULL));
	assert_int_equal(exact->units, 1);
	assert_int_equal(host->units, 1);
	detach(exact);
	speak(f, fd, "1", 1);
	assert_true(wait_for(f, units_came, 3, NULL));
	assert_int_equal(host->units, 2);
	detach(host);
	free(exact);
	free(host);
	close(fd);
	close(other);
}

static void identity_is_taken_once_and_must_be_an_address(void **state)
{
	static const char *const bad[] = { "", "meter", "10.0.0.7:", "10.0.0.7:99999", "10.0.0", "[::1", "m@x" };
	const struct link_identity other = { LINK_ID_EXTERNAL, "10.0.0.7", 0 };
	struct fixture *f = *state;
	struct device *d = device_new(), *e = device_new();

	assert_int_equal(attach(f, d, "10.0.0.7"), 0);
	assert_int_equal(attach(f, e, "10.0.0.7"), -EEXIST);
	assert_int_equal(attach(f, e, "[::ffff:10.0.0.7]"), -EEXIST); /* the same host */
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(attach(f, e, bad[i]), -EBADMSG);
	assert_int_equal(link_udp_ops.attach(f->link, &e->link_dev, &other, e, 100), -EBADMSG);
	detach(d);
	assert_int_equal(attach(f, e, "10.0.0.7"), 0);
	detach(e);
	free(d);
	free(e);
}

/* ref/t8.md case 66, first part */
static void unknown_source_is_counted_and_gets_silence_66(void **state)
{
	struct fixture *f = *state;
	char buf[4];
	int fd = device_socket("127.0.0.8", NULL);

	speak(f, fd, "hello", 5);
	assert_true(wait_for(f, was_counted, LINK_RES_UNKNOWN_DEVICE, NULL));
	assert_int_equal(f->strangers, 1);
	assert_string_equal(f->stranger, "127.0.0.8");
	speak(f, fd, "", 0);
	*f->link->results[LINK_RES_UNKNOWN_DEVICE] = 0;
	assert_true(wait_for(f, was_counted, LINK_RES_UNKNOWN_DEVICE, NULL));
	assert_int_equal(f->strangers, 1); /* an empty datagram makes no device */
	assert_int_equal(f->units, 0);
	assert_int_equal(recv(fd, buf, sizeof buf, MSG_DONTWAIT), -1);
	close(fd);
}

static void unknown_source_may_become_a_device(void **state)
{
	struct fixture *f = *state;
	struct device *d = f->adopt = device_new();
	int fd = device_socket("127.0.0.8", NULL);

	speak(f, fd, "hello", 5);
	assert_true(wait_for(f, units_came, 1, NULL));
	assert_int_equal(d->units, 1);
	assert_int_equal(*f->link->results[LINK_RES_UNKNOWN_DEVICE], 0);
	detach(d);
	free(d);
	close(fd);
}

/* ref/t8.md case 66, second part */
static void oversized_unit_is_dropped_and_counted_66(void **state)
{
	static const uint8_t big[65000];
	struct fixture *f = *state;
	struct device *d = device_new();
	int fd = device_socket("127.0.0.7", NULL);

	assert_int_equal(attach(f, d, "127.0.0.7"), 0);
	speak(f, fd, big, sizeof big); /* cut by the receive buffer */
	speak(f, fd, big, UDP_UNIT_MAX + 1);
	speak(f, fd, big, UDP_UNIT_MAX);
	assert_true(wait_for(f, units_came, 1, NULL));
	assert_int_equal(d->len, UDP_UNIT_MAX);
	assert_int_equal(*f->link->results[LINK_RES_TOO_BIG], 2);
	assert_int_equal(f->strangers, 0);
	detach(d);
	free(d);
	close(fd);
}

/* ref/t8.md case 66, third part */
static void empty_datagram_is_an_awake_hint_66(void **state)
{
	struct fixture *f = *state;
	struct device *d = device_new();
	int fd = device_socket("127.0.0.7", NULL);

	assert_int_equal(attach(f, d, "127.0.0.7"), 0);
	speak(f, fd, "", 0);
	assert_true(wait_for(f, units_came, 1, NULL));
	assert_int_equal(d->empty, 1);
	assert_int_equal(send_unit(d, 0, "x", 1), 0); /* and its port is known by it */
	detach(d);
	free(d);
	close(fd);
}

static void unit_above_the_mtu_is_refused(void **state)
{
	static const uint8_t big[1359];
	struct fixture *f = *state;
	struct device *d = device_new();

	assert_int_equal(attach(f, d, "127.0.0.7:9"), 0);
	assert_int_equal(send_unit(d, 1, big, 1359), -EMSGSIZE);
	assert_int_equal(send_unit(d, 1, big, 0), -EMSGSIZE);
	assert_int_equal(send_unit(d, 1, big, 1358), 0);
	detach(d);
	free(d);
}

static void verdict_may_come_later_even_after_the_link_is_closed(void **state)
{
	struct fixture *f = *state;
	struct device *d = device_new();
	int fd = device_socket("127.0.0.7", NULL);

	f->hold = true;
	assert_int_equal(attach(f, d, "127.0.0.7"), 0);
	for (unsigned i = 1; i <= 3; i++) {
		speak(f, fd, "x", 1);
		assert_true(wait_for(f, units_came, i, NULL));
	}
	assert_int_equal(f->held_n, 3);
	link_verdict(f->held[1], LINK_TAKEN);
	detach(d);
	link_udp_ops.close(f->link, true);
	link_verdict(f->held[0], LINK_OVERLOAD);
	link_verdict(f->held[2], LINK_MALFORMED);
	open_link(f, "127.0.0.1:0");
	free(d);
	close(fd);
}

static void units_leave_in_order(void **state)
{
	enum { N = 300 };
	struct fixture *f = *state;
	struct device *a = device_new(), *b = device_new();
	char address[32], buf[8];
	uint16_t port;
	int fd = device_socket("127.0.0.7", &port);

	snprintf(address, sizeof address, "127.0.0.7:%u", port);
	assert_int_equal(attach(f, a, address), 0);
	assert_int_equal(attach(f, b, "127.0.0.9:9"), 0);
	for (uint32_t i = 1; i <= N; i++) {
		char text[8];
		size_t len = (size_t)snprintf(text, sizeof text, "%u", i);

		assert_int_equal(send_unit(i % 3 ? a : b, i, text, len), 0);
	}
	assert_true(wait_for(f, left, N - N / 3, a));
	for (uint32_t i = 1, k = 0; i <= N; i++)
		if (i % 3) {
			assert_int_equal(a->order[k++], i);
			memset(buf, 0, sizeof buf);
			assert_true(recv(fd, buf, sizeof buf - 1, 0) > 0);
			assert_int_equal(atoi(buf), i);
		}
	detach(a);
	detach(b);
	free(a);
	free(b);
	close(fd);
}

/* The kernel never refuses on loopback for long, so the socket is marked as one that does. */
static void full_socket_fills_a_bounded_queue(void **state)
{
	struct fixture *f = *state;
	struct udp_link *l = (struct udp_link *)f->link;
	struct device *d = device_new();
	unsigned n = 0;

	assert_int_equal(attach(f, d, "127.0.0.7:9"), 0);
	l->out->blocked = true;
	while (send_unit(d, n + 1, "x", 1) == 0)
		n++;
	assert_int_equal(n, UDP_OUT_MAX);
	assert_int_equal(d->sent, 0);
	link_udp_ops.cancel(d->link_dev, 2);
	udp_writable(l);
	assert_int_equal(d->sent, UDP_OUT_MAX - 1);
	assert_int_equal(d->order[0], 1);
	assert_int_equal(d->order[1], 3); /* no event of what was cancelled */
	assert_int_equal(send_unit(d, 0, "x", 1), 0);
	detach(d);
	free(d);
}

static void what_waits_moves_up_when_a_part_has_left(void **state)
{
	struct fixture *f = *state;
	struct udp_link *l = (struct udp_link *)f->link;
	struct device *d = device_new();
	char address[32], buf[16];
	uint16_t port;
	int fd = device_socket("127.0.0.7", &port);

	snprintf(address, sizeof address, "127.0.0.7:%u", port);
	assert_int_equal(attach(f, d, address), 0);
	l->out->blocked = true;
	for (uint32_t i = 0; i < UDP_OUT_MAX; i++)
		assert_int_equal(send_unit(d, 0, &i, sizeof i), 0);
	l->out->head = UDP_OUT_MAX - 2; /* as after a flush that took all but two */
	assert_int_equal(send_unit(d, 0, &(uint32_t){ UDP_OUT_MAX }, 4), 0);
	assert_int_equal(l->out->tail, 3);
	assert_int_equal(l->out->used, 12);
	udp_writable(l);
	for (uint32_t i = UDP_OUT_MAX - 2; i <= UDP_OUT_MAX; i++) {
		assert_int_equal(recv(fd, buf, sizeof buf, 0), 4);
		assert_memory_equal(buf, &i, 4);
	}
	detach(d);
	free(d);
	close(fd);
}

static void expired_unit_is_told_and_not_sent(void **state)
{
	struct fixture *f = *state;
	struct udp_link *l = (struct udp_link *)f->link;
	const struct link_down how = { .id = 5, .deadline_ms = 1 };
	struct device *d = device_new();

	assert_int_equal(attach(f, d, "127.0.0.7:9"), 0);
	assert_int_equal(link_udp_ops.send(d->link_dev, &how, (const uint8_t *)"x", 1), 0);
	udp_flush(l);
	assert_int_equal(d->failed, 1);
	assert_int_equal(d->cause, LINK_CAUSE_EXPIRED);
	detach(d);
	free(d);
}

static void device_may_be_detached_in_an_event_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct device *d = device_new();

	d->detach_when_sent = true;
	assert_int_equal(attach(f, d, "127.0.0.7:9"), 0);
	for (uint32_t i = 1; i <= 5; i++)
		assert_int_equal(send_unit(d, i, "x", 1), 0);
	udp_flush(f->link);
	assert_int_equal(d->sent, 1);
	assert_null(d->link_dev);
	free(d);
}

static void unreachable_destination_fails_alone(void **state)
{
	struct fixture *f = *state;
	struct device *bad = device_new(), *good = device_new();

	assert_int_equal(attach(f, bad, "255.255.255.255:9"), 0); /* broadcast is not allowed on the socket */
	assert_int_equal(attach(f, good, "127.0.0.7:9"), 0);
	assert_int_equal(send_unit(bad, 1, "x", 1), 0);
	assert_int_equal(send_unit(good, 2, "x", 1), 0);
	udp_flush(f->link);
	assert_int_equal(bad->failed, 1);
	assert_int_equal(bad->cause, LINK_CAUSE_TEMPORARY);
	assert_int_equal(good->sent, 1);
	detach(bad);
	detach(good);
	free(bad);
	free(good);
}

/* The device asks 127.0.0.99 and must be answered from there, whatever address the kernel would choose. */
static void answer_leaves_from_where_it_was_asked(struct fixture *f, const char *listen)
{
	struct device *d = device_new();
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	char buf[8], text[64];
	int fd = device_socket("127.0.0.7", NULL);

	link_udp_ops.close(f->link, true);
	open_link(f, listen);
	assert_int_equal(attach(f, d, "127.0.0.7"), 0);
	speak_to(fd, "127.0.0.99", f->port, "x", 1);
	assert_true(wait_for(f, units_came, 1, NULL));
	assert_int_equal(send_unit(d, 1, "y", 1), 0);
	assert_true(wait_for(f, left, 1, d));
	assert_int_equal(recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len), 1);
	assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7f000063);
	assert_true(link_udp_ops.describe(d->link_dev, text, sizeof text) > 0);
	assert_non_null(strstr(text, "\"reached_at\":\"127.0.0.7:"));
	detach(d);
	free(d);
	close(fd);
}

static void socket_for_all_of_ipv4_answers_from_the_address_asked(void **state)
{
	answer_leaves_from_where_it_was_asked(*state, "0.0.0.0:0");
}

static void socket_for_both_families_answers_from_the_address_asked(void **state)
{
	int probe = socket(AF_INET6, SOCK_DGRAM, 0);

	if (probe < 0)
		skip();
	close(probe);
	answer_leaves_from_where_it_was_asked(*state, "[::]:0");
}

static void reload_keeps_the_socket_while_the_address_is_the_same(void **state)
{
	struct fixture *f = *state;
	struct udp_conf other = f->conf;
	struct link_status st;

	assert_int_equal(link_udp_ops.reconf(f->link, &other.link), 0);
	other.listen = "127.0.0.2:0";
	assert_int_equal(link_udp_ops.reconf(f->link, &other.link), -EBUSY);
	assert_int_equal(link_udp_ops.reconf(f->link, &f->conf.link), 0);
	link_udp_ops.status(f->link, &st);
	assert_string_equal(st.state, "up");
}

static void address_in_use_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct link *second = NULL;
	struct udp_conf conf = f->conf;
	char listen[32];

	log_set(LOG_ERROR, LOG_TEXT);
	snprintf(listen, sizeof listen, "127.0.0.1:%u", f->port);
	conf.listen = listen;
	assert_int_equal(link_udp_ops.open(&second, &conf.link, &f->env), -EADDRINUSE);
	assert_null(second);
	link_udp_ops.close(NULL, true);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(datagram_is_a_unit_and_the_answer_goes_back_to_its_source),
		T(host_is_reached_at_the_port_it_last_sent_from),
		T(host_and_port_is_tried_before_the_host_alone),
		T(identity_is_taken_once_and_must_be_an_address),
		T(unknown_source_is_counted_and_gets_silence_66),
		T(unknown_source_may_become_a_device),
		T(oversized_unit_is_dropped_and_counted_66),
		T(empty_datagram_is_an_awake_hint_66),
		T(unit_above_the_mtu_is_refused),
		T(verdict_may_come_later_even_after_the_link_is_closed),
		T(units_leave_in_order),
		T(full_socket_fills_a_bounded_queue),
		T(what_waits_moves_up_when_a_part_has_left),
		T(expired_unit_is_told_and_not_sent),
		T(device_may_be_detached_in_an_event_of_its_own),
		T(unreachable_destination_fails_alone),
		T(socket_for_all_of_ipv4_answers_from_the_address_asked),
		T(socket_for_both_families_answers_from_the_address_asked),
		T(reload_keeps_the_socket_while_the_address_is_the_same),
		T(address_in_use_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
