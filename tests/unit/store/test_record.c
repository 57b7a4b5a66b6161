/* SPDX-License-Identifier: Apache-2.0 */
/* test_record.c - checksums, segment heads, records, sealed values */
#include "scene.h"

#include "store/crc32c.h"
#include "store/envelope.h"
#include "store/record.h"

static void the_checksum_is_that_of_rfc_3720(void **state)
{
	uint8_t octets[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	memset(octets, 0, sizeof octets); /* RFC 3720 B.4 */
	assert_int_equal(crc32c(0, octets, sizeof octets), 0x8a9136aa);
	memset(octets, 0xff, sizeof octets);
	assert_int_equal(crc32c(0, octets, sizeof octets), 0x62a8ab43);
	for (uint8_t i = 0; i < sizeof octets; i++)
		octets[i] = i;
	assert_int_equal(crc32c(0, octets, sizeof octets), 0x46dd794e);
}

static void a_checksum_may_be_taken_in_parts(void **state)
{
	const char text[] = "the quick brown fox jumps over the lazy dog";
	const uint32_t whole = crc32c(7, text, sizeof text);

	(void)state;
	for (size_t i = 0; i <= sizeof text; i++)
		assert_int_equal(crc32c(crc32c(7, text, i), text + i, sizeof text - i), whole);
}

static const struct segment_head some_head = { .number = 3,
					       .first_seq = 40,
					       .id_mark = 1000,
					       .wall_ms = 1700000000000,
					       .salt = 0xdeadbeef,
					       .boot_id = "0123456789abcde" };

static void a_head_comes_back_and_no_flipped_bit_passes(void **state)
{
	uint8_t octets[SEGMENT_HEAD];
	struct segment_head h;

	(void)state;
	segment_head_write(octets, &some_head);
	assert_int_equal(segment_head_read(&h, octets, sizeof octets), 0);
	assert_int_equal(h.number, some_head.number);
	assert_int_equal(h.first_seq, some_head.first_seq);
	assert_int_equal(h.id_mark, some_head.id_mark);
	assert_int_equal(h.wall_ms, some_head.wall_ms);
	assert_int_equal(h.salt, some_head.salt);
	assert_memory_equal(h.boot_id, some_head.boot_id, 16);
	for (size_t i = 0; i < sizeof octets * 8; i++) {
		octets[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(segment_head_read(&h, octets, sizeof octets), -EBADMSG);
		octets[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < sizeof octets; i++)
		assert_int_equal(segment_head_read(&h, octets, i), -EBADMSG);
}

static void counts_that_could_wrap_are_refused(void **state)
{
	struct segment_head h = some_head;
	uint8_t octets[SEGMENT_HEAD];

	(void)state;
	h.first_seq = 0;
	segment_head_write(octets, &h);
	assert_int_equal(segment_head_read(&h, octets, sizeof octets), -EBADMSG);
	h = some_head;
	h.number = UINT64_MAX;
	segment_head_write(octets, &h);
	assert_int_equal(segment_head_read(&h, octets, sizeof octets), -EBADMSG);
}

static size_t some_record(uint8_t *octets, enum record_type type)
{
	const struct record r = { .seq = 41,
				  .id = 7,
				  .wall_ms = 1700000000001,
				  .keep_ms = 5000,
				  .until_ms = 6000,
				  .type = type,
				  .kind = 2,
				  .data = (const uint8_t *)"unit",
				  .len = 4 };

	record_write(octets, &r);
	record_seal(octets, 99, 12);
	return record_size(&r);
}

static void a_record_comes_back_and_no_flipped_bit_passes(void **state)
{
	uint8_t octets[128];
	const size_t len = some_record(octets, RECORD_DONE);
	struct record r;

	(void)state;
	assert_int_equal(len, RECORD_HEAD + RECORD_KEEP + 4);
	assert_int_equal(record_read(&r, 99, octets, sizeof octets), len);
	assert_int_equal(r.seq, 41);
	assert_int_equal(r.id, 7);
	assert_int_equal(r.wall_ms, 1700000000001);
	assert_int_equal(r.keep_ms, 5000);
	assert_int_equal(r.until_ms, 6000);
	assert_int_equal(r.commit, 12);
	assert_int_equal(r.type, RECORD_DONE);
	assert_int_equal(r.kind, 2);
	assert_int_equal(r.len, 4);
	assert_memory_equal(r.data, "unit", 4);
	for (size_t i = 0; i < len * 8; i++) {
		octets[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(record_read(&r, 99, octets, len), -EBADMSG);
		octets[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < len; i++)
		assert_int_equal(record_read(&r, 99, octets, i), -EBADMSG);
}

static void a_record_of_another_segment_does_not_pass(void **state)
{
	uint8_t octets[128];
	const size_t len = some_record(octets, RECORD_APPEND);
	struct record r;

	(void)state;
	assert_true(record_read(&r, 99, octets, len) > 0);
	assert_int_equal(record_read(&r, 98, octets, len), -EBADMSG);
}

static void zeros_are_no_record(void **state)
{
	const uint8_t zeros[256] = { 0 };
	struct record r;

	(void)state;
	assert_int_equal(record_read(&r, 0, zeros, sizeof zeros), -EBADMSG);
}

static void only_a_later_sync_behind_a_fault_proves_damage(void **state)
{
	uint8_t octets[256] = { 0 };

	(void)state;
	some_record(octets + 37, RECORD_APPEND); /* of commit 12 */
	assert_true(record_seen_beyond(99, 10, octets, sizeof octets));
	assert_false(record_seen_beyond(99, 11, octets, sizeof octets));
	assert_false(record_seen_beyond(99, 12, octets, sizeof octets));
	assert_false(record_seen_beyond(98, 10, octets, sizeof octets));
	assert_false(record_seen_beyond(99, 10, octets, 37 + RECORD_HEAD));
}

static void a_sealed_value_is_good_for_its_table_and_key_only(void **state)
{
	const struct envelope_key k = { STORE_SESSION, "meter-17", 8 }, table = { STORE_DEVICE, "meter-17", 8 },
				  key = { STORE_SESSION, "meter-18", 8 };
	uint8_t sealed[ENVELOPE_HEAD + 5];
	size_t len;

	(void)state;
	envelope_seal(sealed, &k, "state", 5);
	assert_memory_equal(envelope_open(&k, sealed, sizeof sealed, &len), "state", 5);
	assert_int_equal(len, 5);
	assert_null(envelope_open(&table, sealed, sizeof sealed, &len));
	assert_null(envelope_open(&key, sealed, sizeof sealed, &len));
	for (size_t i = 0; i < sizeof sealed * 8; i++) {
		sealed[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_null(envelope_open(&k, sealed, sizeof sealed, &len));
		sealed[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < sizeof sealed; i++)
		assert_null(envelope_open(&k, sealed, i, &len));
	envelope_seal(sealed, &k, "", 0);
	assert_non_null(envelope_open(&k, sealed, ENVELOPE_HEAD, &len));
	assert_int_equal(len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_is_that_of_rfc_3720),
		cmocka_unit_test(a_checksum_may_be_taken_in_parts),
		cmocka_unit_test(a_head_comes_back_and_no_flipped_bit_passes),
		cmocka_unit_test(counts_that_could_wrap_are_refused),
		cmocka_unit_test(a_record_comes_back_and_no_flipped_bit_passes),
		cmocka_unit_test(a_record_of_another_segment_does_not_pass),
		cmocka_unit_test(zeros_are_no_record),
		cmocka_unit_test(only_a_later_sync_behind_a_fault_proves_damage),
		cmocka_unit_test(a_sealed_value_is_good_for_its_table_and_key_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
