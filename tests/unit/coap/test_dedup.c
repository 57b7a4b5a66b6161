/* SPDX-License-Identifier: Apache-2.0 */
/* test_dedup.c - what one peer has sent before, src/coap/dedup.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/random.h"
#include "coap/peer.h"

#define START_MS 1000
#define CON_WINDOW_MS 247000 /* EXCHANGE_LIFETIME with the parameters below */
#define NON_WINDOW_MS 145000 /* NON_LIFETIME */

static struct leg {
	struct timers timers;
	struct coap_shared shared;
	struct coap_params params;
	struct coap_leg kind;
	struct coap_peer peer;
	uint64_t now_ms;
} leg;

static const struct coap_peer_ops no_ops;

static int begin(void **state)
{
	(void)state;
	random_seed(7);
	memset(&leg, 0, sizeof leg);
	leg.now_ms = START_MS;
	leg.shared.timers = &leg.timers;
	leg.shared.answer_bytes_max = 1000;
	leg.params = (struct coap_params){ 2000, 100000, 4, 1 };
	leg.kind = (struct coap_leg){ &no_ops, &leg.params, &leg.shared };
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

static const uint8_t *answer;
static size_t answer_len;

static enum coap_seen_state seen_as(enum coap_type type, uint16_t mid, uint8_t token)
{
	struct coap_msg m = { .type = (uint8_t)type, .code = COAP_GET, .mid = mid, .token_len = 1, .token = { token } };

	return coap_peer_seen(&leg.peer, &m, leg.now_ms, &answer, &answer_len);
}

static enum coap_seen_state seen(uint16_t mid, uint8_t token)
{
	return seen_as(COAP_CON, mid, token);
}

static void answered(uint16_t mid, uint8_t token, const char *text, bool final)
{
	coap_peer_answered(&leg.peer, mid, &token, 1, (const uint8_t *)text, strlen(text), final);
}

static void assert_answer(uint16_t mid, uint8_t token, const char *text)
{
	assert_int_equal(seen(mid, token), COAP_SEEN_ANSWERED);
	assert_int_equal(answer_len, strlen(text));
	assert_memory_equal(answer, text, answer_len);
}

static void a_duplicate_gets_nothing_then_the_empty_ack_then_the_answer(void **state)
{
	(void)state;
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	assert_int_equal(seen(1, 1), COAP_SEEN_OPEN);
	answered(1, 1, "ack", false);
	assert_answer(1, 1, "ack");
	answered(1, 1, "answer", true);
	assert_answer(1, 1, "answer");
	assert_answer(1, 1, "answer");
	assert_int_equal(leg.shared.answer_bytes, 6);
}

static void a_non_gets_nothing_ever(void **state)
{
	(void)state;
	assert_int_equal(seen_as(COAP_NON, 1, 1), COAP_SEEN_NEW);
	answered(1, 1, "", true);
	assert_int_equal(seen_as(COAP_NON, 1, 1), COAP_SEEN_SILENT);
}

static void another_token_with_the_same_id_is_new(void **state)
{
	(void)state;
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	answered(1, 1, "old", true);
	assert_int_equal(seen(1, 2), COAP_SEEN_NEW);
	answered(1, 1, "late", true); /* of the forgotten one: not taken for the new one's */
	assert_int_equal(seen(1, 2), COAP_SEEN_OPEN);
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	assert_int_equal(leg.shared.answer_bytes, 0);
}

static void windows_are_those_of_con_and_non(void **state)
{
	(void)state;
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	answered(1, 1, "x", true);
	assert_int_equal(seen_as(COAP_NON, 2, 1), COAP_SEEN_NEW);
	answered(2, 1, "", true);
	wait_ms(NON_WINDOW_MS - 1);
	assert_int_equal(seen_as(COAP_NON, 2, 1), COAP_SEEN_SILENT);
	wait_ms(1);
	assert_int_equal(seen_as(COAP_NON, 2, 1), COAP_SEEN_NEW);
	answered(2, 1, "", true);
	wait_ms(CON_WINDOW_MS - NON_WINDOW_MS - 1);
	assert_answer(1, 1, "x");
	wait_ms(1);
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
}

static void sixteen_are_remembered_then_the_oldest_goes(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < COAP_DEDUP_MIN; i++) {
		assert_int_equal(seen(i, 1), COAP_SEEN_NEW);
		answered(i, 1, "x", true);
		wait_ms(1);
	}
	for (uint16_t i = 0; i < COAP_DEDUP_MIN; i++)
		assert_answer(i, 1, "x");
	assert_int_equal(seen(100, 1), COAP_SEEN_NEW);
	answered(100, 1, "x", true);
	assert_answer(1, 1, "x");
	assert_int_equal(seen(0, 1), COAP_SEEN_NEW);
}

static void open_ones_are_never_evicted_and_the_table_grows(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < COAP_DEDUP_MAX; i++)
		assert_int_equal(seen(i, 1), COAP_SEEN_NEW);
	for (uint16_t i = 0; i < COAP_DEDUP_MAX; i++)
		assert_int_equal(seen(i, 1), COAP_SEEN_OPEN);
	assert_int_equal(seen(1000, 1), COAP_SEEN_FULL);
	assert_int_equal(seen(1000, 1), COAP_SEEN_FULL); /* it was not remembered */
	answered(5, 1, "ack", false);                    /* an empty ACK does not end it */
	assert_int_equal(seen(1000, 1), COAP_SEEN_FULL);
	answered(5, 1, "answer", true);
	assert_int_equal(seen(1000, 1), COAP_SEEN_NEW);
	assert_int_equal(seen(6, 1), COAP_SEEN_OPEN);
	for (uint16_t i = 0; i < COAP_DEDUP_MAX; i++)
		coap_peer_settled(&leg.peer, i, &(uint8_t){ 1 }, 1);
	coap_peer_settled(&leg.peer, 1000, &(uint8_t){ 1 }, 1);
	wait_ms(CON_WINDOW_MS);
	assert_null(leg.peer.dedup);
}

static void settled_keeps_what_duplicates_get(void **state)
{
	const uint8_t token = 1;

	(void)state;
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	coap_peer_settled(&leg.peer, 1, &token, 1);
	assert_int_equal(seen(1, 1), COAP_SEEN_SILENT);
	assert_int_equal(seen(2, 1), COAP_SEEN_NEW);
	answered(2, 1, "ack", false);
	coap_peer_settled(&leg.peer, 2, &token, 1);
	assert_answer(2, 1, "ack");
	coap_peer_settled(&leg.peer, 3, &token, 1); /* unknown: nothing */
}

static void an_open_one_outlives_its_window_in_the_table(void **state)
{
	(void)state;
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	wait_ms(CON_WINDOW_MS * 3);
	assert_non_null(leg.peer.dedup);
	coap_peer_settled(&leg.peer, 1, &(uint8_t){ 1 }, 1);
	wait_ms(CON_WINDOW_MS);
	assert_null(leg.peer.dedup);
}

static void freed_when_the_newest_has_left_its_window(void **state)
{
	(void)state;
	assert_null(leg.peer.dedup);
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	answered(1, 1, "x", true);
	wait_ms(100000);
	assert_int_equal(seen(2, 1), COAP_SEEN_NEW);
	answered(2, 1, "x", true);
	assert_int_equal(leg.timers.count, 1);
	wait_ms(CON_WINDOW_MS - 1);
	assert_non_null(leg.peer.dedup);
	wait_ms(1);
	assert_null(leg.peer.dedup);
	assert_int_equal(leg.timers.count, 0);
	assert_int_equal(leg.shared.answer_bytes, 0);
}

static void an_answer_above_the_cap_is_given_up(void **state)
{
	(void)state;
	leg.shared.answer_bytes_max = 10;
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	answered(1, 1, "12345678", true);
	assert_int_equal(seen(2, 1), COAP_SEEN_NEW);
	answered(2, 1, "abc", true);
	assert_int_equal(leg.shared.answer_bytes, 8);
	assert_int_equal(seen(2, 1), COAP_SEEN_SILENT); /* never forwarded again */
	answered(1, 1, "1234567890", true);             /* what it replaces makes room */
	assert_answer(1, 1, "1234567890");
}

static void an_answer_to_what_was_never_seen_is_not_kept(void **state)
{
	(void)state;
	answered(1, 1, "x", true);
	assert_null(leg.peer.dedup);
	assert_int_equal(seen(1, 1), COAP_SEEN_NEW);
	answered(2, 1, "x", true);
	assert_int_equal(leg.shared.answer_bytes, 0);
}

static void restored_in_any_order_each_is_known_for_its_window(void **state)
{
	const uint16_t mids[] = { 3, 1, 4, 2 }; /* each received so many seconds after the start of the life before */
	const uint8_t token = 1;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		coap_peer_restore_seen(&leg.peer, mids[i], &token, 1, true, START_MS + mids[i] * 1000u,
				       (const uint8_t *)"x", 1, true);
	wait_ms(4000);
	for (uint16_t mid = 1; mid <= 4; mid++)
		assert_answer(mid, 1, "x");
	wait_ms(CON_WINDOW_MS - 2000);
	assert_int_equal(seen(2, 2), COAP_SEEN_NEW);
	assert_answer(3, 1, "x");
	assert_answer(4, 1, "x");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_duplicate_gets_nothing_then_the_empty_ack_then_the_answer),
		T(a_non_gets_nothing_ever),
		T(another_token_with_the_same_id_is_new),
		T(windows_are_those_of_con_and_non),
		T(sixteen_are_remembered_then_the_oldest_goes),
		T(open_ones_are_never_evicted_and_the_table_grows),
		T(settled_keeps_what_duplicates_get),
		T(an_open_one_outlives_its_window_in_the_table),
		T(freed_when_the_newest_has_left_its_window),
		T(an_answer_above_the_cap_is_given_up),
		T(an_answer_to_what_was_never_seen_is_not_kept),
		T(restored_in_any_order_each_is_known_for_its_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
