/* SPDX-License-Identifier: Apache-2.0 */
/* test_peer.c - retransmission, order and NSTART of one leg, src/coap/peer.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "coap/peer.h"

#define MOST 64
#define START_MS 1000

/* One leg with a transport that does what it is told. */
static struct leg {
	struct timers timers;
	struct coap_shared shared;
	struct coap_params params;
	struct coap_leg kind;
	struct coap_peer peer;
	uint64_t now_ms;
	uint16_t sent[MOST]; /* ids in the order in which they left */
	uint64_t sent_ms[MOST];
	bool again[MOST];
	unsigned sent_n;
	int result;        /* of send */
	uint64_t pause_ms; /* with -EAGAIN: the time that send gives */
	unsigned failed_n, gone_n;
	int failed_err;
	bool remove_failed;
	unsigned lets; /* how many more may leave */
	bool put_off;  /* with -EAGAIN: until coap_peer_retry() */
} leg;

static int fake_send(struct coap_peer *p, struct coap_tx *tx, bool again)
{
	assert_ptr_equal(p, &leg.peer);
	if (leg.result) {
		if (leg.pause_ms)
			coap_tx_pause(tx, leg.pause_ms, true);
		if (leg.put_off) {
			coap_tx_pause(tx, 0, true);
			tx->put_off = true;
		}
		return leg.result;
	}
	assert_true(leg.sent_n < MOST);
	leg.sent[leg.sent_n] = tx->mid;
	leg.again[leg.sent_n] = again;
	leg.sent_ms[leg.sent_n++] = leg.now_ms;
	return 0;
}

static void fake_failed(struct coap_peer *p, struct coap_tx *tx, int err)
{
	(void)p;
	leg.failed_n++;
	leg.failed_err = err;
	if (leg.remove_failed)
		coap_tx_remove(tx, leg.now_ms);
}

static void fake_gone(struct coap_peer *p, struct coap_tx *tx)
{
	(void)p;
	assert_null(tx->peer);
	leg.gone_n++;
}

static bool fake_may_leave(struct coap_peer *p, struct coap_tx *tx)
{
	assert_ptr_equal(p, &leg.peer);
	assert_int_equal(tx->state == COAP_TX_QUEUED || tx->klass == COAP_TX_ANSWER, 1);
	if (!leg.lets)
		return false;
	leg.lets--;
	return true;
}

static const struct coap_peer_ops gated_ops = {
	.send = fake_send, .failed = fake_failed, .gone = fake_gone, .may_leave = fake_may_leave
};
static const struct coap_peer_ops ops = { .send = fake_send, .failed = fake_failed, .gone = fake_gone };

static int begin(void **state)
{
	(void)state;
	random_seed(7);
	memset(&leg, 0, sizeof leg);
	leg.now_ms = START_MS;
	leg.shared.timers = &leg.timers;
	leg.shared.answer_bytes_max = 1000;
	leg.params = (struct coap_params){ 2000, 100000, 4, 1 };
	leg.kind = (struct coap_leg){ &ops, &leg.params, &leg.shared };
	coap_peer_init(&leg.peer, &leg.kind);
	return 0;
}

static int end(void **state)
{
	(void)state;
	coap_peer_fini(&leg.peer);
	assert_int_equal(leg.timers.count, 0);
	assert_int_equal(leg.shared.answer_bytes, 0);
	return 0;
}

static void wait_ms(uint64_t ms)
{
	uint64_t until = leg.now_ms + ms;

	while (timers_next(&leg.timers) <= until) {
		leg.now_ms = timers_next(&leg.timers);
		timers_run(&leg.timers, leg.now_ms, 0);
	}
	leg.now_ms = until;
}

static void set(struct coap_tx *tx, enum coap_type type, uint16_t mid, enum coap_tx_class klass)
{
	const uint8_t m[] = { (uint8_t)(0x40 | type << 4), COAP_GET, (uint8_t)(mid >> 8), (uint8_t)mid };

	assert_int_equal(coap_tx_set(tx, m, sizeof m, klass), 0);
}

static void submit(struct coap_tx *tx, enum coap_type type, uint16_t mid, enum coap_tx_class klass)
{
	set(tx, type, mid, klass);
	coap_tx_submit(&leg.peer, tx, leg.now_ms);
}

static void done(struct coap_tx *tx)
{
	coap_tx_remove(tx, leg.now_ms);
	coap_tx_clear(tx);
}

/* ---- times ---- */

static void times_are_those_of_the_specification(void **state)
{
	const struct coap_params ip = { 2000, 100000, 4, 1 }, nb = { 15000, 100000, 4, 1 };

	(void)state;
	/* RFC 7252 4.8.2, table 3 */
	assert_int_equal(coap_transmit_span_ms(&ip), 45000);
	assert_int_equal(coap_transmit_wait_ms(&ip), 93000);
	assert_int_equal(coap_exchange_lifetime_ms(&ip), 247000);
	assert_int_equal(coap_non_lifetime_ms(&ip), 145000);
	assert_int_equal(coap_exchange_lifetime_ms(&nb), 552500);
}

static void time_doubles_from_a_random_start(void **state)
{
	struct coap_tx tx = { 0 };
	uint64_t first, step;

	(void)state;
	submit(&tx, COAP_CON, 1, COAP_TX_REQUEST);
	wait_ms(200000);
	assert_int_equal(leg.sent_n, 5);
	first = leg.sent_ms[1] - leg.sent_ms[0];
	assert_in_range(first, 2000, 3000);
	step = first;
	for (unsigned i = 1; i + 1 < leg.sent_n; i++) {
		step *= 2;
		assert_int_equal(leg.sent_ms[i + 1] - leg.sent_ms[i], step);
		assert_true(leg.again[i]);
		assert_int_equal(leg.sent[i], 1);
	}
	assert_int_equal(leg.failed_n, 1);
	assert_int_equal(leg.failed_err, -ETIMEDOUT);
	assert_int_equal(tx.state, COAP_TX_SILENT);
	assert_int_equal(leg.shared.retransmissions, 4);
	done(&tx);
}

static void without_retransmissions_one_time_out_is_the_end(void **state)
{
	struct coap_tx tx = { 0 };

	(void)state;
	leg.params.max_retransmit = 0;
	submit(&tx, COAP_CON, 1, COAP_TX_REQUEST);
	wait_ms(3000);
	assert_int_equal(leg.sent_n, 1);
	assert_int_equal(leg.failed_n, 1);
	done(&tx);
}

/* ---- places and order ---- */

static void one_con_at_a_time_in_order(void **state)
{
	struct coap_tx tx[3] = { 0 };

	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		submit(&tx[i], COAP_CON, i, COAP_TX_REQUEST);
	assert_int_equal(leg.sent_n, 1);
	done(&tx[0]);
	assert_int_equal(leg.sent_n, 2);
	done(&tx[2]); /* one that waits may leave the queue */
	assert_int_equal(leg.sent_n, 2);
	done(&tx[1]);
	assert_int_equal(leg.sent_n, 2);
	assert_int_equal(leg.sent[1], 1);
	assert_int_equal(coap_peer_queued(&leg.peer), 0);
	assert_int_equal(leg.peer.active, 0);
}

static void nstart_may_be_raised_while_some_wait(void **state)
{
	struct coap_tx tx[4] = { 0 };

	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		submit(&tx[i], COAP_CON, i, COAP_TX_REQUEST);
	leg.params.nstart = 3;
	submit(&tx[3], COAP_CON, 3, COAP_TX_REQUEST);
	assert_int_equal(leg.sent_n, 3);
	assert_int_equal(leg.sent[2], 2);
	for (unsigned i = 0; i < 4; i++)
		done(&tx[i]);
}

static void requests_go_before_bulk_each_in_order(void **state)
{
	struct coap_tx tx[5] = { 0 };

	(void)state;
	submit(&tx[0], COAP_CON, 0, COAP_TX_REQUEST);
	submit(&tx[1], COAP_CON, 1, COAP_TX_BULK);
	submit(&tx[2], COAP_CON, 2, COAP_TX_BULK);
	submit(&tx[3], COAP_CON, 3, COAP_TX_REQUEST);
	submit(&tx[4], COAP_CON, 4, COAP_TX_REQUEST);
	done(&tx[0]);
	done(&tx[3]);
	done(&tx[4]);
	done(&tx[1]);
	done(&tx[2]);
	assert_int_equal(leg.sent_n, 5);
	assert_int_equal(leg.sent[1], 3);
	assert_int_equal(leg.sent[2], 4);
	assert_int_equal(leg.sent[3], 1);
	assert_int_equal(leg.sent[4], 2);
}

static void answers_wait_for_nobody_and_hold_no_place(void **state)
{
	struct coap_tx tx[3] = { 0 };

	(void)state;
	submit(&tx[0], COAP_CON, 0, COAP_TX_REQUEST);
	submit(&tx[1], COAP_CON, 1, COAP_TX_REQUEST);
	submit(&tx[2], COAP_CON, 2, COAP_TX_ANSWER);
	assert_int_equal(leg.sent_n, 2);
	assert_int_equal(leg.sent[1], 2);
	assert_int_equal(leg.peer.active, 1);
	done(&tx[2]);
	assert_int_equal(leg.sent_n, 2);
	done(&tx[0]);
	assert_int_equal(leg.sent_n, 3);
	done(&tx[1]);
}

static void a_silent_one_keeps_its_place(void **state)
{
	struct coap_tx tx[2] = { 0 };

	(void)state;
	submit(&tx[0], COAP_CON, 0, COAP_TX_REQUEST);
	submit(&tx[1], COAP_CON, 1, COAP_TX_REQUEST);
	wait_ms(1000000);
	assert_int_equal(leg.sent_n, 5);
	assert_int_equal(leg.peer.stuck, 1);
	assert_false(coap_peer_clear(&leg.peer));
	assert_ptr_equal(coap_peer_stuck(&leg.peer), &tx[0]);
	coap_tx_go(&tx[0], leg.now_ms);
	assert_int_equal(leg.sent_n, 6);
	assert_int_equal(tx[0].retries, 0);
	assert_null(coap_peer_stuck(&leg.peer));
	done(&tx[0]);
	assert_int_equal(leg.sent[6], 1);
	done(&tx[1]);
}

static void found_by_its_id_while_it_is_on_its_way(void **state)
{
	struct coap_tx tx[3] = { 0 };

	(void)state;
	submit(&tx[0], COAP_CON, 10, COAP_TX_REQUEST);
	submit(&tx[1], COAP_CON, 11, COAP_TX_REQUEST);
	submit(&tx[2], COAP_CON, 12, COAP_TX_ANSWER);
	assert_ptr_equal(coap_peer_find(&leg.peer, 10), &tx[0]);
	assert_null(coap_peer_find(&leg.peer, 11)); /* not sent: nothing can be acknowledged */
	assert_ptr_equal(coap_peer_find(&leg.peer, 12), &tx[2]);
	coap_tx_pause(&tx[0], 0, false);
	assert_ptr_equal(coap_peer_find(&leg.peer, 10), &tx[0]);
	for (unsigned i = 0; i < 3; i++)
		done(&tx[i]);
	assert_null(coap_peer_find(&leg.peer, 10));
}

/* ---- waiting ---- */

static void paused_without_a_time_waits_for_go(void **state)
{
	struct coap_tx tx = { 0 };

	(void)state;
	submit(&tx, COAP_CON, 1, COAP_TX_REQUEST);
	coap_tx_pause(&tx, 0, false);
	wait_ms(1000000);
	assert_int_equal(leg.sent_n, 1);
	coap_peer_contact(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 1); /* the network has it: contact does not send it again */
	coap_tx_go(&tx, leg.now_ms);
	assert_int_equal(leg.sent_n, 2);
	assert_true(leg.again[1]);
	done(&tx);
}

static void paused_with_a_time_goes_then_or_at_contact(void **state)
{
	struct coap_tx tx = { 0 };

	(void)state;
	submit(&tx, COAP_CON, 1, COAP_TX_REQUEST);
	coap_tx_pause(&tx, leg.now_ms + 90000, true);
	wait_ms(89999);
	assert_int_equal(leg.sent_n, 1);
	wait_ms(1);
	assert_int_equal(leg.sent_n, 2);
	coap_tx_pause(&tx, leg.now_ms + 90000, true);
	wait_ms(5000);
	coap_peer_contact(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 3);
	wait_ms(85000); /* the time that was given is void */
	assert_true(leg.sent_ms[3] - leg.sent_ms[2] >= 2000 && leg.sent_ms[3] - leg.sent_ms[2] <= 3000);
	done(&tx);
}

static void restart_sends_nothing_and_begins_the_time_anew(void **state)
{
	struct coap_tx tx = { 0 };

	(void)state;
	submit(&tx, COAP_CON, 1, COAP_TX_REQUEST);
	coap_tx_pause(&tx, 0, false);
	wait_ms(60000);
	coap_tx_restart(&tx, leg.now_ms);
	wait_ms(1999);
	assert_int_equal(leg.sent_n, 1);
	wait_ms(1001);
	assert_int_equal(leg.sent_n, 2);
	done(&tx);
}

static void one_that_waits_its_turn_is_not_paused_nor_restarted(void **state)
{
	struct coap_tx tx[2] = { 0 };

	(void)state;
	submit(&tx[0], COAP_CON, 0, COAP_TX_REQUEST);
	submit(&tx[1], COAP_CON, 1, COAP_TX_REQUEST);
	coap_tx_pause(&tx[1], 5000, true);
	coap_tx_restart(&tx[1], leg.now_ms);
	coap_tx_go(&tx[1], leg.now_ms);
	assert_int_equal(tx[1].state, COAP_TX_QUEUED);
	assert_int_equal(leg.sent_n, 1);
	done(&tx[0]);
	done(&tx[1]);
}

static void a_full_transport_pauses_and_resume_sends(void **state)
{
	struct coap_tx tx[2] = { 0 };

	(void)state;
	leg.result = -ENOTCONN;
	submit(&tx[0], COAP_CON, 0, COAP_TX_REQUEST);
	submit(&tx[1], COAP_CON, 1, COAP_TX_REQUEST);
	assert_int_equal(tx[0].state, COAP_TX_PAUSED);
	assert_int_equal(tx[0].first_ms, 0);
	assert_null(coap_peer_find(&leg.peer, 0));
	wait_ms(1000000);
	leg.result = 0;
	coap_peer_resume(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 1);
	assert_false(leg.again[0]); /* it had not left */
	done(&tx[0]);
	done(&tx[1]);
}

static void the_transport_may_give_a_time_of_its_own(void **state)
{
	struct coap_tx tx = { 0 };

	(void)state;
	leg.result = -EAGAIN;
	leg.pause_ms = leg.now_ms + 5000;
	submit(&tx, COAP_CON, 1, COAP_TX_REQUEST);
	leg.result = 0;
	wait_ms(4999);
	assert_int_equal(leg.sent_n, 0);
	wait_ms(1);
	assert_int_equal(leg.sent_n, 1);
	done(&tx);
}

static void a_retransmission_that_is_not_taken_waits_too(void **state)
{
	struct coap_tx tx = { 0 };

	(void)state;
	submit(&tx, COAP_CON, 1, COAP_TX_REQUEST);
	leg.result = -EAGAIN;
	wait_ms(3000);
	assert_int_equal(tx.state, COAP_TX_PAUSED);
	assert_true(tx.first_ms != 0);
	leg.result = 0;
	coap_peer_contact(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 2);
	assert_true(leg.again[1]);
	done(&tx);
}

static void refused_for_good_fails_within_submit(void **state)
{
	struct coap_tx tx = { 0 };

	(void)state;
	leg.result = -EMSGSIZE;
	leg.remove_failed = true;
	submit(&tx, COAP_CON, 1, COAP_TX_REQUEST);
	assert_int_equal(leg.failed_n, 1);
	assert_int_equal(leg.failed_err, -EMSGSIZE);
	assert_null(tx.peer);
	assert_int_equal(leg.peer.active, 0);
	coap_tx_clear(&tx);
}

static void a_long_queue_that_fails_at_once_does_not_nest(void **state)
{
	static struct coap_tx tx[20000];

	(void)state;
	memset(tx, 0, sizeof tx);
	leg.result = -ENOTCONN;
	for (unsigned i = 0; i < 20000; i++)
		submit(&tx[i], COAP_CON, (uint16_t)i, COAP_TX_REQUEST);
	assert_int_equal(coap_peer_queued(&leg.peer), 20000);
	leg.result = -EMSGSIZE;
	leg.remove_failed = true;
	coap_peer_resume(&leg.peer, leg.now_ms);
	assert_int_equal(leg.failed_n, 20000);
	assert_null(leg.peer.head);
	for (unsigned i = 0; i < 20000; i++)
		coap_tx_clear(&tx[i]);
}

static void every_stuck_one_goes_when_the_peer_is_back(void **state)
{
	struct coap_tx tx[40] = { 0 };

	(void)state;
	leg.params.nstart = 40;
	leg.result = -ENOTCONN;
	for (uint16_t i = 0; i < 40; i++)
		submit(&tx[i], COAP_CON, i, COAP_TX_REQUEST);
	assert_int_equal(leg.peer.stuck, 40);
	leg.result = 0;
	coap_peer_resume(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 40);
	for (uint16_t i = 0; i < 40; i++) {
		assert_int_equal(leg.sent[i], i);
		done(&tx[i]);
	}
}

/* ---- NON ---- */

static void a_non_leaves_at_once_and_is_gone(void **state)
{
	struct coap_tx con = { 0 }, non = { 0 };

	(void)state;
	submit(&con, COAP_CON, 1, COAP_TX_REQUEST);
	submit(&non, COAP_NON, 2, COAP_TX_REQUEST);
	assert_int_equal(leg.sent_n, 2);
	assert_int_equal(leg.gone_n, 1);
	assert_null(coap_peer_find(&leg.peer, 2));
	coap_tx_clear(&non);
	done(&con);
}

static void a_non_does_not_overtake_what_waits(void **state)
{
	struct coap_tx con[2] = { 0 }, non = { 0 };

	(void)state;
	submit(&con[0], COAP_CON, 1, COAP_TX_REQUEST);
	submit(&con[1], COAP_CON, 2, COAP_TX_REQUEST);
	submit(&non, COAP_NON, 3, COAP_TX_REQUEST);
	assert_int_equal(leg.sent_n, 1);
	done(&con[0]);
	assert_int_equal(leg.sent_n, 3);
	assert_int_equal(leg.sent[1], 2);
	assert_int_equal(leg.sent[2], 3);
	coap_tx_clear(&non);
	done(&con[1]);
}

static void a_non_waits_behind_a_stuck_one(void **state)
{
	struct coap_tx con = { 0 }, non = { 0 };

	(void)state;
	submit(&con, COAP_CON, 1, COAP_TX_REQUEST);
	coap_tx_pause(&con, 0, true);
	submit(&non, COAP_NON, 2, COAP_TX_REQUEST);
	assert_int_equal(leg.sent_n, 1);
	coap_peer_contact(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 3);
	assert_int_equal(leg.sent[2], 2);
	coap_tx_clear(&non);
	done(&con);
}

static void many_non_that_could_not_leave_go_in_order(void **state)
{
	struct coap_tx non[5] = { 0 };

	(void)state;
	leg.result = -ENOTCONN;
	for (uint16_t i = 0; i < 5; i++)
		submit(&non[i], COAP_NON, i, COAP_TX_REQUEST);
	assert_int_equal(leg.gone_n, 0);
	leg.result = 0;
	coap_peer_resume(&leg.peer, leg.now_ms);
	assert_int_equal(leg.gone_n, 5);
	for (uint16_t i = 0; i < 5; i++) {
		assert_int_equal(leg.sent[i], i);
		coap_tx_clear(&non[i]);
	}
	assert_int_equal(leg.peer.active, 0);
	assert_true(coap_peer_clear(&leg.peer));
}

static void a_non_waits_for_a_peer_that_is_away(void **state)
{
	struct coap_tx con[2] = { 0 }, non[2] = { 0 };

	(void)state;
	leg.peer.away = true;
	assert_false(coap_peer_clear(&leg.peer));
	submit(&con[0], COAP_CON, 1, COAP_TX_REQUEST); /* which may find out */
	submit(&non[0], COAP_NON, 2, COAP_TX_REQUEST);
	submit(&con[1], COAP_CON, 3, COAP_TX_REQUEST);
	submit(&non[1], COAP_NON, 4, COAP_TX_REQUEST);
	done(&con[0]);
	assert_int_equal(leg.sent_n, 1);
	coap_peer_resume(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 4);
	assert_int_equal(leg.sent[1], 2);
	assert_int_equal(leg.sent[3], 4);
	done(&con[1]);
	coap_tx_clear(&non[0]);
	coap_tx_clear(&non[1]);
}

/* ---- the owner's leave ---- */

static void nothing_leaves_without_the_owners_leave(void **state)
{
	struct coap_tx tx[5] = { 0 };

	(void)state;
	leg.kind.ops = &gated_ops;
	leg.params.nstart = 8;
	submit(&tx[0], COAP_CON, 0, COAP_TX_REQUEST);
	submit(&tx[1], COAP_CON, 1, COAP_TX_BULK);
	submit(&tx[2], COAP_CON, 2, COAP_TX_REQUEST);
	submit(&tx[3], COAP_CON, 3, COAP_TX_ANSWER);
	submit(&tx[4], COAP_CON, 4, COAP_TX_ANSWER);
	wait_ms(100000);
	assert_int_equal(leg.sent_n, 0);
	assert_int_equal(leg.timers.count, 0); /* who waits for leave has no timer */
	assert_int_equal(leg.peer.active, 0);
	leg.lets = 3;
	coap_peer_retry(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 3); /* answers first, in order */
	assert_int_equal(leg.sent[0], 3);
	assert_int_equal(leg.sent[1], 4);
	assert_int_equal(leg.sent[2], 0);
	leg.lets = 9;
	coap_peer_retry(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent[3], 2);
	assert_int_equal(leg.sent[4], 1);
	for (unsigned i = 0; i < 5; i++)
		done(&tx[i]);
}

static void an_answer_does_not_overtake_one_that_waits(void **state)
{
	struct coap_tx tx[2] = { 0 };

	(void)state;
	leg.kind.ops = &gated_ops;
	submit(&tx[0], COAP_CON, 0, COAP_TX_ANSWER);
	leg.lets = 1;
	submit(&tx[1], COAP_CON, 1, COAP_TX_ANSWER);
	assert_int_equal(leg.sent_n, 1);
	assert_int_equal(leg.sent[0], 0);
	for (unsigned i = 0; i < 2; i++)
		done(&tx[i]);
}

static void what_is_put_off_goes_at_retry_and_only_that(void **state)
{
	struct coap_tx tx[3] = { 0 };

	(void)state;
	leg.params.nstart = 8;
	leg.result = -EAGAIN;
	leg.pause_ms = leg.now_ms + 50000; /* a time of the transport's */
	submit(&tx[0], COAP_CON, 0, COAP_TX_REQUEST);
	leg.pause_ms = 0;
	leg.put_off = true;
	submit(&tx[1], COAP_CON, 1, COAP_TX_REQUEST);
	submit(&tx[2], COAP_CON, 2, COAP_TX_ANSWER);
	coap_peer_retry(&leg.peer, leg.now_ms); /* still not */
	leg.result = 0;
	coap_peer_retry(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 2);
	assert_int_equal(leg.sent[0], 2);
	assert_int_equal(leg.sent[1], 1);
	assert_false(leg.again[0]);
	coap_tx_pause(&tx[1], 0, false); /* kept by the network: retry leaves it alone */
	coap_peer_retry(&leg.peer, leg.now_ms);
	assert_int_equal(leg.sent_n, 2);
	for (unsigned i = 0; i < 3; i++)
		done(&tx[i]);
}

static void removing_an_idle_one_is_fine(void **state)
{
	struct coap_tx tx = { 0 };

	(void)state;
	coap_tx_remove(&tx, leg.now_ms);
	coap_tx_clear(&tx);
	coap_tx_go(&tx, leg.now_ms);
	coap_tx_pause(&tx, 0, true);
	coap_tx_restart(&tx, leg.now_ms);
	assert_int_equal(leg.sent_n, 0);
}

static void ids_count_up_from_a_random_start(void **state)
{
	uint16_t first = coap_peer_mid(&leg.peer);

	(void)state;
	assert_int_equal(coap_peer_mid(&leg.peer), (uint16_t)(first + 1));
	leg.peer.next_mid = UINT16_MAX;
	assert_int_equal(coap_peer_mid(&leg.peer), UINT16_MAX);
	assert_int_equal(coap_peer_mid(&leg.peer), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(times_are_those_of_the_specification),
		T(time_doubles_from_a_random_start),
		T(without_retransmissions_one_time_out_is_the_end),
		T(one_con_at_a_time_in_order),
		T(nstart_may_be_raised_while_some_wait),
		T(requests_go_before_bulk_each_in_order),
		T(answers_wait_for_nobody_and_hold_no_place),
		T(a_silent_one_keeps_its_place),
		T(found_by_its_id_while_it_is_on_its_way),
		T(paused_without_a_time_waits_for_go),
		T(paused_with_a_time_goes_then_or_at_contact),
		T(restart_sends_nothing_and_begins_the_time_anew),
		T(one_that_waits_its_turn_is_not_paused_nor_restarted),
		T(a_full_transport_pauses_and_resume_sends),
		T(the_transport_may_give_a_time_of_its_own),
		T(a_retransmission_that_is_not_taken_waits_too),
		T(refused_for_good_fails_within_submit),
		T(a_long_queue_that_fails_at_once_does_not_nest),
		T(every_stuck_one_goes_when_the_peer_is_back),
		T(a_non_leaves_at_once_and_is_gone),
		T(a_non_does_not_overtake_what_waits),
		T(a_non_waits_behind_a_stuck_one),
		T(many_non_that_could_not_leave_go_in_order),
		T(a_non_waits_for_a_peer_that_is_away),
		T(nothing_leaves_without_the_owners_leave),
		T(an_answer_does_not_overtake_one_that_waits),
		T(what_is_put_off_goes_at_retry_and_only_that),
		T(removing_an_idle_one_is_fine),
		T(ids_count_up_from_a_random_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
