/* SPDX-License-Identifier: Apache-2.0 */
/* test_dtls.c - stands for src/north/dtls.c and secure.c: associations against a DTLS server in the same loop */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/north/dtls_scene.h"

/* ---- up and down ---- */

static void handshake_with_a_key_and_messages_both_ways(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	s->peer->cookies = true;
	open_peer(&s->f, &p, "meter-17");
	assert_false(north_assoc_is_up(p.assoc));
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"early", 5), -ENOTCONN);
	assert_true(wait_for(&s->f, is_up, &p));
	assert_true(north_assoc_is_up(p.assoc));
	assert_string_equal(s->peer->identity, "meter-17");
	echo(s, &p, "hello");
	assert_int_equal(s->peer->last_message_port, north_assoc_port(p.assoc));
	assert_int_equal(handshakes(s, SECURE_OK), 1);
	assert_int_equal(p.asked, 1);
	close_peer(&p);
	assert_int_equal(s->f.server->slots, 0);
	assert_int_equal(s->f.server->ups, 0);
}

static void suites_are_those_of_authenticated_encryption(void **state)
{
	static const char *const suites[] = { "PSK-AES128-CCM8", "PSK-AES128-GCM-SHA256", "PSK-AES128-CCM",
					      "PSK-CHACHA20-POLY1305" };
	struct scene *s = *state;
	struct peer p;

	for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
		p = psk_peer(s);
		peer_forget(s->peer);
		peer_renew(s->peer, suites[i]);
		bring_up(s, &p);
		echo(s, &p, suites[i]);
		assert_string_equal(s->peer->suite, suites[i]);
		close_peer(&p);
	}
	peer_forget(s->peer);
	peer_renew(s->peer, "PSK-AES128-CBC-SHA256"); /* S47: nothing that is not */
	p = psk_peer(s);
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, has_failed, &p));
	assert_int_equal(handshakes(s, SECURE_ALERT), 1);
	close_peer(&p);
}

static void close_notify_ends_it_and_the_next_message_makes_another(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	uint16_t port;

	bring_up(s, &p);
	port = north_assoc_port(p.assoc);
	peer_close_notify(s->peer, port);
	assert_true(wait_for(&s->f, has_ended, &p));
	assert_false(north_assoc_is_up(p.assoc));
	assert_int_equal(s->peer->handshakes, 1); /* nobody has asked for another */
	p.up = 0;
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), -ENOTCONN);
	assert_true(wait_for(&s->f, is_up, &p));
	assert_int_equal(north_assoc_port(p.assoc), port);
	echo(s, &p, "again");
	assert_int_equal(s->peer->handshakes, 2);
	close_peer(&p);
}

/* ref/lwm2m.md 34: a server that has lost its sessions drops what it cannot read, without a word. */
static void lwm2m_34_unanswered_messages_end_it_and_a_new_handshake_begins(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	bring_up(s, &p);
	echo(s, &p, "before");
	peer_forget(s->peer);
	p.up = 0;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(p.down, 0);
		assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"lost", 4), 0);
		north_assoc_unanswered(p.assoc);
	}
	assert_false(north_assoc_is_up(p.assoc));
	assert_int_equal(p.down, 0); /* told by the loop, not in the middle of the call */
	assert_true(wait_for(&s->f, is_up, &p));
	assert_int_equal(p.down, 1);
	echo(s, &p, "after");
	close_peer(&p);
}

static void what_is_heard_in_between_keeps_it(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	bring_up(s, &p);
	for (int i = 0; i < 6; i++) {
		north_assoc_unanswered(p.assoc);
		if (i % 2)
			echo(s, &p, "here");
	}
	assert_true(north_assoc_is_up(p.assoc));
	assert_int_equal(p.down, 0);
	close_peer(&p);
}

static void message_above_the_limit_is_refused(void **state)
{
	static uint8_t big[4097];
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	bring_up(s, &p);
	assert_int_equal(north_assoc_message_max(p.assoc), 4096);
	assert_int_equal(north_assoc_send(p.assoc, big, 4097), -EMSGSIZE);
	assert_int_equal(north_assoc_send(p.assoc, big, 4096), 0);
	assert_true(wait_for(&s->f, has_received, &p)); /* in parts of what the server reads at once */
	assert_true(north_assoc_is_up(p.assoc));
	close_peer(&p);
}

static void association_may_be_closed_in_its_own_callback(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	bring_up(s, &p);
	p.closes = &p;
	peer_send(s->peer, north_assoc_port(p.assoc), "bye", 3);
	assert_true(wait_for(&s->f, has_received, &p));
	assert_null(p.assoc);
}

static void association_may_be_closed_while_it_connects(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	s->peer->deaf = true;
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, has_begun, &p));
	close_peer(&p);
	assert_int_equal(s->f.server->slots, 0);
}

static void server_at_another_address_is_shaken_hands_with_anew(void **state)
{
	struct scene *s = *state;
	struct dtls_peer *other = peer_open(s->f.loop, PSK_ALL);
	struct peer p = psk_peer(s);
	struct addr to;
	uint16_t port;

	peer_key(other, 0, "meter-17", KEY_A);
	bring_up(s, &p);
	port = north_assoc_port(p.assoc);
	to = s->f.server->addr;
	addr_set_port(&to, other->port);
	p.up = 0;
	server_address_known(s->f.server, &to);
	assert_true(wait_for(&s->f, is_up, &p));
	assert_int_equal(p.down, 1);
	assert_int_equal(north_assoc_port(p.assoc), port);
	echo(s, &p, "moved");
	assert_int_equal(other->messages, 1);
	assert_null(s->peer->ssl[port]); /* the old one was told */
	close_peer(&p);
	peer_close(other);
}

/* A relay is up whatever the server does; it says nothing of whether that answers. */
static void server_that_answers_no_handshake_is_silent_though_records_are_relayed(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s), relay = { 0 };

	s->f.server_conf.handshake_timeout_s = 1;
	s->peer->deaf = true;
	assert_int_equal(north_relay_open(&relay.assoc, s->f.server, "meter-17", 0, &events, &relay), 0);
	assert_true(north_assoc_is_up(relay.assoc));
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, has_failed, &p));
	assert_false(north_server_is_up(s->f.server));
	expect_alarm(s, "server.unreachable/main");
	close_peer(&p);
	close_peer(&relay);
}

/* ---- what others send ---- */

static void alert_of_anybody_does_not_end_a_handshake(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	s->peer->spoofs = true;
	s->peer->cookies = true;
	bring_up(s, &p);
	echo(s, &p, "still");
	assert_true(*s->f.server->dropped >= 3);
	assert_int_equal(handshakes(s, SECURE_OK), 1);
	close_peer(&p);
}

static void alert_that_is_meant_is_the_reason_told(void **state)
{
	struct scene *s = *state;
	struct peer p = { .identity = "nobody", .key_file = s->key_file };

	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, has_failed, &p));
	assert_int_equal(handshakes(s, SECURE_ALERT), 1);
	expect_alarm(s, "server.auth_failed/main: meter-17: the server sends alert \"unknown PSK identity\"");
	assert_true(north_server_is_up(s->f.server)); /* it does answer */
	close_peer(&p);
	assert_int_equal(alarms_count(s->f.alarms), 0);
}

static void garbage_is_dropped_and_counted(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	uint8_t noise[1500];
	uint16_t port;

	bring_up(s, &p);
	port = north_assoc_port(p.assoc);
	for (int i = 0; i < 60; i++) {
		random_bytes(noise, sizeof noise);
		if (i % 2) { /* a record by its head, and nothing that has the keys */
			memcpy(noise, "\x17\xfe\xfd\x00\x01", 5);
			noise[11] = (1500 - 13) >> 8;
			noise[12] = (1500 - 13) & 255;
		}
		send_to_port(s->peer->fd, port, noise, sizeof noise);
	}
	peer_spoof(s->peer, port);
	echo(s, &p, "good");
	assert_int_equal(*s->f.server->dropped, 61);
	assert_true(north_assoc_is_up(p.assoc));
	close_peer(&p);
}

static void record_that_comes_twice_is_taken_once(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	char *data, copy[200];
	SSL *ssl;
	long len;

	bring_up(s, &p);
	ssl = s->peer->ssl[north_assoc_port(p.assoc)];
	assert_int_equal(SSL_write(ssl, "once", 4), 4);
	len = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
	assert_in_range(len, 1, sizeof copy);
	memcpy(copy, data, (size_t)len);
	for (int i = 0; i < 3; i++)
		send_to_port(s->peer->fd, north_assoc_port(p.assoc), copy, (size_t)len);
	(void)BIO_reset(SSL_get_wbio(ssl));
	assert_true(wait_for(&s->f, has_received, &p));
	p.received = 0;
	echo(s, &p, "next");
	assert_int_equal(p.received, 1);
	assert_int_equal(*s->f.server->dropped, 2);
	close_peer(&p);
}

/* ---- keys ---- */

/* ref/coap.md 55, ref/lwm2m.md 33. OpenSSL's server drops a Finished that it cannot read without a word. */
static void coap_55_wrong_key_is_told_at_the_time_limit_and_harms_nobody_else(void **state)
{
	struct scene *s = *state;
	struct peer wrong = { .identity = "meter-17", .key_file = s->other_file },
		    right = { .identity = "meter-18", .key_file = s->other_file };

	s->f.server_conf.handshake_timeout_s = 1;
	open_peer(&s->f, &wrong, "meter-17");
	open_peer(&s->f, &right, "meter-18");
	assert_true(wait_for(&s->f, is_up, &right));
	assert_true(wait_for(&s->f, has_failed, &wrong));
	assert_int_equal(handshakes(s, SECURE_TIMEOUT), 1);
	expect_alarm(s, "server.auth_failed/main: meter-17: the server falls silent when the keys are used");
	assert_int_equal(alarms_count(s->f.alarms), 1);
	assert_true(north_server_is_up(s->f.server));
	echo(s, &right, "fine");
	/* the file is put right: the next try takes it, and the alarm goes */
	write_key(s->other_file, KEY_A);
	assert_true(wait_for(&s->f, is_up, &wrong));
	assert_int_equal(alarms_count(s->f.alarms), 0);
	close_peer(&wrong);
	close_peer(&right);
}

static void device_without_a_key_is_told_at_once_and_tried_again(void **state)
{
	static const struct {
		const char *identity, *text;
	} bad[] = {
		{ NULL, "the device has no psk_identity" },
		{ "meter-17", "does not hold one line of 1 to 64 octets in hexadecimal" },
	};
	static const char *const contents[] = { "", "0g", "001", " ", "00\n11", "00\n\n" };
	struct scene *s = *state;
	struct peer p = { 0 };

	for (size_t i = 0; i < 2; i++) {
		p = (struct peer){ .identity = bad[i].identity, .key_file = s->other_file };
		write_key(s->other_file, "xyz");
		open_peer(&s->f, &p, "meter-17");
		assert_true(wait_for(&s->f, has_failed, &p));
		expect_alarm(s, bad[i].text);
		close_peer(&p);
	}
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) { /* S33 */
		char why[200] = "";

		write_key(s->other_file, contents[i]);
		if (!north_check_psk(s->other_file, why, sizeof why))
			fail_msg("\"%s\" is taken", contents[i]);
		assert_non_null(strstr(why, "hexadecimal"));
	}
	assert_int_equal(s->peer->hellos, 0);
}

static void identity_and_key_have_their_bounds(void **state)
{
	struct scene *s = *state;
	char identity[130], hex[131], why[200];
	struct peer p = { .identity = identity, .key_file = s->other_file };

	memset(hex, 'a', sizeof hex);
	hex[130] = '\0';
	write_key(s->other_file, hex); /* 65 octets */
	assert_int_equal(north_check_psk(s->other_file, why, sizeof why), -EINVAL);
	hex[128] = '\0';
	write_key(s->other_file, hex);
	assert_int_equal(north_check_psk(s->other_file, why, sizeof why), 0);
	memset(identity, 'i', sizeof identity);
	identity[128] = '\0';
	peer_key(s->peer, 2, identity, hex);
	bring_up(s, &p);
	assert_string_equal(s->peer->identity, identity);
	close_peer(&p);
	identity[128] = 'i';
	identity[129] = '\0';
	p = (struct peer){ .identity = identity, .key_file = s->other_file };
	open_peer(&s->f, &p, "meter-17");
	assert_true(wait_for(&s->f, has_failed, &p));
	expect_alarm(s, "longer than 128 octets");
	close_peer(&p);
}

/* A key that is replaced counts from the next handshake on; what stands is not disturbed, and no former session is
 * resumed. */
static void replaced_key_is_used_by_the_next_handshake(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	struct server_conf again = s->f.server_conf;

	bring_up(s, &p);
	echo(s, &p, "old key");
	peer_key(s->peer, 0, "meter-17", KEY_B);
	write_key(s->key_file, KEY_B);
	north_server_set_conf(s->f.server, &again);
	echo(s, &p, "still the old session");
	assert_int_equal(s->peer->handshakes, 1);
	peer_close_notify(s->peer, north_assoc_port(p.assoc));
	assert_true(wait_for(&s->f, has_ended, &p));
	p.up = 0;
	assert_int_equal(north_assoc_send(p.assoc, (const uint8_t *)"x", 1), -ENOTCONN);
	assert_true(wait_for(&s->f, is_up, &p));
	echo(s, &p, "new key");
	assert_int_equal(s->peer->handshakes, 2);
	assert_int_equal(s->peer->resumed, 0);
	north_server_set_conf(s->f.server, &s->f.server_conf);
	close_peer(&p);
}

/* ---- sessions that are resumed ---- */

static void session_is_resumed_after_a_restart(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	uint16_t port;

	bring_up(s, &p);
	echo(s, &p, "x");
	assert_true(p.resume_len > 0);
	port = north_assoc_port(p.assoc);
	close_peer(&p);
	north_close_server_and_room(s);
	p.up = 0;
	bring_up(s, &p);
	echo(s, &p, "y");
	assert_int_equal(north_assoc_port(p.assoc), port);
	assert_int_equal(s->peer->resumed, 1);
	assert_int_equal(handshakes(s, SECURE_RESUMED), 1);
	close_peer(&p);
}

static void session_that_the_server_does_not_know_is_forgotten(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);

	bring_up(s, &p);
	echo(s, &p, "x");
	close_peer(&p);
	peer_forget(s->peer);
	peer_renew(s->peer, PSK_ALL);
	SSL_CTX_set_options(s->peer->ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(s->peer->ctx, SSL_SESS_CACHE_OFF);
	p.up = 0;
	bring_up(s, &p);
	echo(s, &p, "y");
	assert_int_equal(s->peer->resumed, 0);
	close_peer(&p);
}

static void stored_session_that_is_damaged_is_not_used(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	uint8_t good[NORTH_RESUME_MAX];
	size_t len;

	bring_up(s, &p);
	echo(s, &p, "x");
	close_peer(&p);
	len = p.resume_len;
	memcpy(good, p.resume, len);
	for (size_t cut = 0; cut < len; cut += 23) {
		p.up = 0;
		memcpy(p.resume, good, len);
		if (cut % 2)
			p.resume[cut] ^= 0x55;
		else
			p.resume_len = cut;
		bring_up(s, &p);
		echo(s, &p, "y");
		close_peer(&p);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up_dtls, tear_down_dtls)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(handshake_with_a_key_and_messages_both_ways),
		T(suites_are_those_of_authenticated_encryption),
		T(close_notify_ends_it_and_the_next_message_makes_another),
		T(lwm2m_34_unanswered_messages_end_it_and_a_new_handshake_begins),
		T(what_is_heard_in_between_keeps_it),
		T(message_above_the_limit_is_refused),
		T(association_may_be_closed_in_its_own_callback),
		T(association_may_be_closed_while_it_connects),
		T(server_at_another_address_is_shaken_hands_with_anew),
		T(server_that_answers_no_handshake_is_silent_though_records_are_relayed),
		T(alert_of_anybody_does_not_end_a_handshake),
		T(alert_that_is_meant_is_the_reason_told),
		T(garbage_is_dropped_and_counted),
		T(record_that_comes_twice_is_taken_once),
		T(coap_55_wrong_key_is_told_at_the_time_limit_and_harms_nobody_else),
		T(device_without_a_key_is_told_at_once_and_tried_again),
		T(identity_and_key_have_their_bounds),
		T(replaced_key_is_used_by_the_next_handshake),
		T(session_is_resumed_after_a_restart),
		T(session_that_the_server_does_not_know_is_forgotten),
		T(stored_session_that_is_damaged_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
