/* SPDX-License-Identifier: Apache-2.0 */
/* test_route.c - stands for src/north/route.c and lookup.c: servers with several addresses, and a box whose own address
 * changes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <sys/wait.h>

#include "unit/north/dtls_scene.h"
#include "unit/north/names.h"

/* ---- several addresses of one name ---- */

static void serve_by_name(struct scene *s, struct server_conf conf)
{
	static char uri[64];

	snprintf(uri, sizeof uri, "%s://lwm2m.test:%u", conf.security == SERVER_PSK ? "coaps" : "coap", s->peer->port);
	conf.uri = uri;
	secure_server(s, conf);
}

static void address_in_use(struct scene *s, char text[ADDR_TEXT_MAX])
{
	struct north_server_status st;

	north_server_status(s->f.server, &st);
	strcpy(text, st.address);
	*strrchr(text, ':') = '\0';
}

static bool has_moved(struct fixture *f)
{
	char text[ADDR_TEXT_MAX];

	addr_format(&f->server->addr, text, sizeof text);
	return strncmp(text, f->what, strlen(f->what)) == 0;
}

/* Nobody listens on the first two: ICMP says so, and the handshake goes to the third. */
static void next_address_is_tried_when_nobody_listens(void **state)
{
	struct scene *s = *state;
	struct names d = { .more = 2 };
	struct peer p = psk_peer(s);
	char text[ADDR_TEXT_MAX];

	peer_listen_at(s->peer, "127.0.0.3");
	open_names(&s->f, &d, "");
	serve_by_name(s, (struct server_conf){ .security = SERVER_PSK });
	bring_up(s, &p);
	address_in_use(s, text);
	assert_string_equal(text, "127.0.0.3");
	echo(s, &p, "third");
	assert_int_equal(alarms_count(s->f.alarms), 0);
	close_peer(&p);
	close_all(&s->f);
	close_names(&d);
}

/* A name server that is gone meanwhile does not keep the other addresses from being tried. */
static void addresses_are_kept_when_the_name_server_goes(void **state)
{
	struct scene *s = *state;
	struct names d = { .more = 1 };
	struct peer p = psk_peer(s);
	char text[ADDR_TEXT_MAX];

	peer_listen_at(s->peer, "127.0.0.1");
	open_names(&s->f, &d, "");
	serve_by_name(s, (struct server_conf){ .security = SERVER_PSK });
	bring_up(s, &p);
	address_in_use(s, text);
	assert_string_equal(text, "127.0.0.1");
	d.silent_for = UINT32_MAX;
	peer_listen_at(s->peer, "127.0.0.2");
	p.up = 0;
	for (int i = 0; i < 3; i++)
		north_assoc_unanswered(p.assoc);
	assert_true(wait_for(&s->f, is_up, &p));
	address_in_use(s, text);
	assert_string_equal(text, "127.0.0.2");
	close_peer(&p);
	close_all(&s->f);
	close_names(&d);
}

static void silent_server_over_udp_is_tried_at_its_next_address(void **state)
{
	struct scene *s = *state;
	struct names d = { .more = 1 };
	struct peer p = { 0 };
	char text[ADDR_TEXT_MAX];

	open_names(&s->f, &d, "");
	serve_by_name(s, (struct server_conf){ .security = SERVER_NONE });
	bring_up(s, &p);
	address_in_use(s, text);
	assert_string_equal(text, "127.0.0.1");
	north_server_silent(s->f.server);
	assert_true(wait_for(&s->f, has_moved, "127.0.0.2"));
	north_server_heard(s->f.server);
	north_server_silent(s->f.server); /* round to the first */
	assert_true(wait_for(&s->f, has_moved, "127.0.0.1"));
	close_peer(&p);
	close_all(&s->f);
	close_names(&d);
}

/* ---- another address of the box ---- */

static void box_with_another_address_shakes_hands_anew(void **state)
{
	struct scene *s = *state;
	struct peer p = psk_peer(s);
	uint16_t port;

	bring_up(s, &p);
	port = north_assoc_port(p.assoc);
	routes_check(s->f.north);
	assert_true(north_assoc_is_up(p.assoc));                    /* nothing has changed */
	s->f.server->from.u.in.sin_addr.s_addr = htonl(0x7f000009); /* as if it had been another one */
	p.up = 0;
	routes_check(s->f.north);
	assert_true(wait_for(&s->f, is_up, &p));
	assert_int_equal(p.down, 1);
	assert_int_equal(north_assoc_port(p.assoc), port);
	echo(s, &p, "from here");
	close_peer(&p);
}

static bool comes_from_elsewhere(struct fixture *f)
{
	const struct peer *p = f->what;
	struct sockaddr_in in;
	socklen_t len = sizeof in;

	return !getsockname(p->assoc->fd, (struct sockaddr *)&in, &len) && in.sin_addr.s_addr == htonl(0x0a010002) &&
		ntohs(in.sin_port) == north_assoc_port(p->assoc);
}

/* In a network of its own: the kernel tells, and the datagrams come from the new address. */
static int move_in_a_namespace(void)
{
	struct scene *s = NULL;
	struct peer p = { 0 };
	char text[ADDR_TEXT_MAX];

	if (unshare(CLONE_NEWNET) ||
	    system("ip link set lo up && ip addr add 10.1.0.1/32 dev lo && ip addr add 10.1.0.2/32 dev lo &&"
		   " ip route add 192.0.2.0/24 dev lo src 10.1.0.1"))
		return 77;
	if (set_up_dtls((void **)&s))
		return 1;
	secure_server(s, (struct server_conf){ .security = SERVER_NONE, .uri = "coap://192.0.2.1:5683" });
	open_peer(&s->f, &p, "meter-17");
	addr_format(&s->f.server->from, text, sizeof text);
	if (strncmp(text, "10.1.0.1", 8) != 0 || !north_assoc_is_up(p.assoc))
		return 2;
	if (system("ip route replace 192.0.2.0/24 dev lo src 10.1.0.2"))
		return 3;
	if (!wait_for(&s->f, comes_from_elsewhere, &p))
		return 4;
	close_peer(&p);
	tear_down_dtls((void **)&s);
	return 0;
}

static void changed_route_is_noticed(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(move_in_a_namespace());
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* not allowed here */
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up_dtls, tear_down_dtls)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(next_address_is_tried_when_nobody_listens),
		T(addresses_are_kept_when_the_name_server_goes),
		T(silent_server_over_udp_is_tried_at_its_next_address),
		T(box_with_another_address_shakes_hands_anew),
		cmocka_unit_test(changed_route_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
