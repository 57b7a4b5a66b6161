/* SPDX-License-Identifier: Apache-2.0 */
/* test_socket.c - the control socket from its clients' side */
#include "unit/control/talk.h"

#include <sys/stat.h>

static struct world w;
static char path[80];

static int open_world(void **state)
{
	(void)state;
	world_open(&w);
	snprintf(path, sizeof path, "%s/ctl", w.dir);
	control_set_phase(w.control, CONTROL_READY);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

/* One client that sends something, says that it is done, and reads what comes. */
struct said {
	const char *send;
	size_t len; /* 0: strlen */
	char got[65536];
};

static void say(void *arg)
{
	struct said *s = arg;
	int fd = connect_unix(path);
	size_t len = s->len ? s->len : strlen(s->send);

	if (send(fd, s->send, len, MSG_NOSIGNAL) == (ssize_t)len && !shutdown(fd, SHUT_WR))
		read_all(fd, s->got, sizeof s->got);
	close(fd);
}

static struct said s;

static const char *answer_to(const char *request)
{
	s = (struct said){ .send = request };
	talk(w.loop, say, &s);
	return s.got;
}

/* The answer as an object; the caller frees it. */
static json_t *object_of(const char *request)
{
	json_t *o = json_loads(answer_to(request), JSON_REJECT_DUPLICATES, NULL);

	assert_true(json_is_object(o));
	return o;
}

static void expect_error(const char *request, const char *code)
{
	json_t *o = object_of(request);

	assert_string_equal(json_string_value(json_object_get(o, "status")), "error");
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "error"), "code")), code);
	json_decref(o);
}

static void the_socket_is_for_owner_and_group_only(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void a_client_that_said_all_still_gets_its_answer(void **state)
{
	json_t *o = object_of("{\"verb\":\"status\"}\n");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(o, "status")), "ok");
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "data"), "gateway")), "gw7");
	json_decref(o);
}

static void several_requests_in_one_packet_are_answered_in_order(void **state)
{
	const char *got = answer_to("{\"verb\":\"links\"}\n{\"verb\":\"nonsense\"}\n{\"verb\":\"status\"}\n");
	const char *first = strstr(got, "\"items\""), *second = strstr(got, "unsupported"),
		   *third = strstr(got, "\"uptime_s\"");

	(void)state;
	assert_true(first && second && third && first < second && second < third);
}

static void what_is_no_request_is_told_so(void **state)
{
	(void)state;
	expect_error("GET / HTTP/1.1\n", "bad_request");
	expect_error("[1]\n", "bad_request");
	expect_error("{}\n", "bad_request");
	expect_error("{\"verb\":7}\n", "bad_request");
	expect_error("{\"verb\":\"status\",\"verb\":\"reload\"}\n", "bad_request");
	expect_error("{\"verb\":\"device show\"}\n", "bad_request");
	expect_error("{\"verb\":\"device show\",\"name\":\"nobody\"}\n", "not_found");
	expect_error("{\"verb\":\"device list\",\"limit\":0}\n", "bad_request");
	expect_error("{\"verb\":\"device list\",\"cursor\":\"x\"}\n", "bad_request");
}

static void a_line_without_end_is_cut_off(void **state)
{
	static char long_line[70000];

	(void)state;
	memset(long_line, 'x', sizeof long_line);
	s = (struct said){ .send = long_line, .len = 65536 };
	talk(w.loop, say, &s);
	assert_non_null(strstr(s.got, "too long"));
}

static void half_a_line_is_not_answered(void **state)
{
	(void)state;
	assert_string_equal(answer_to("{\"verb\":\"status\"}"), "");
}

static void a_reload_is_answered_after_it_ran(void **state)
{
	json_t *o;

	(void)state;
	w.reload_report = "link op-a: changed\ndevice m1: added\n";
	o = object_of("{\"verb\":\"reload\"}\n");
	assert_int_equal(w.reloads, 1);
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "data"), "result")), "ok");
	assert_string_equal(json_string_value(json_array_get(json_object_get(json_object_get(o, "data"), "report"), 1)),
			    "device m1: added");
	json_decref(o);
	w.reload_report = NULL;
}

static void a_refused_reload_gives_every_fault(void **state)
{
	json_t *o;

	(void)state;
	w.reload_result = -EINVAL;
	w.reload_report = "a.conf:1: x: bad\nb.conf:2: y: bad\n";
	o = object_of("{\"verb\":\"reload\"}\n");
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "data"), "result")), "refused");
	assert_int_equal(json_array_size(json_object_get(json_object_get(o, "data"), "report")), 2);
	json_decref(o);
	w.reload_result = 0;
	w.reload_report = NULL;
}

static void no_reload_before_ready_or_when_stopping(void **state)
{
	unsigned before = w.reloads;

	(void)state;
	control_set_phase(w.control, CONTROL_STOPPING);
	expect_error("{\"verb\":\"reload\"}\n", "busy");
	control_set_phase(w.control, CONTROL_STARTING);
	expect_error("{\"verb\":\"reload\"}\n", "busy");
	control_set_phase(w.control, CONTROL_READY);
	assert_int_equal(w.reloads, before);
}

struct crowd {
	int fd[24];
	unsigned closed;
	char got[65536];
};

/* Connects 24 clients, counts those that are turned away, then asks with the first one. */
static void crowd_in(void *arg)
{
	struct crowd *c = arg;

	for (size_t i = 0; i < 24; i++)
		c->fd[i] = connect_unix(path);
	for (size_t i = 16; i < 24; i++) {
		struct pollfd p = { .fd = c->fd[i], .events = POLLIN };
		char octet;

		if (poll(&p, 1, 5000) == 1 && recv(c->fd[i], &octet, 1, 0) <= 0)
			c->closed++;
	}
	if (send(c->fd[0], "{\"verb\":\"status\"}\n", 18, MSG_NOSIGNAL) == 18 && !shutdown(c->fd[0], SHUT_WR))
		read_all(c->fd[0], c->got, sizeof c->got);
	for (size_t i = 0; i < 24; i++)
		close(c->fd[i]);
}

static void a_crowd_is_turned_away_and_those_inside_are_served(void **state)
{
	static struct crowd c;

	(void)state;
	talk(w.loop, crowd_in, &c);
	assert_int_equal(c.closed, 8);
	assert_non_null(strstr(c.got, "gw7"));
}

static void who_goes_away_before_the_answer_harms_nobody(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		int fd = connect_unix(path);

		assert_int_equal(send(fd, "{\"verb\":\"reload\"}\n{\"verb\":\"status\"}\n", 36, MSG_NOSIGNAL), 36);
		close(fd);
	}
	assert_non_null(strstr(answer_to("{\"verb\":\"status\"}\n"), "gw7"));
}

static void a_second_daemon_does_not_take_the_socket_away(void **state)
{
	struct control_env env = { .loop = w.loop, .metrics = w.metrics, .alarms = w.alarms, .run_dir = w.dir };
	struct control *second = NULL;

	(void)state;
	assert_int_equal(control_open(&second, &env), -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(answer_to("{\"verb\":\"status\"}\n"), "gw7"));
}

static void the_socket_of_a_dead_daemon_is_replaced(void **state)
{
	struct world other;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct control_env env = { .sessions = &other.sessions, .gateway_id = "gw8" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	world_open(&other);
	env.run_dir = other.dir;
	env.loop = other.loop;
	env.metrics = other.metrics;
	env.alarms = other.alarms;
	control_close(other.control);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/ctl", other.dir);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
	close(fd); /* as kill -9 leaves it */
	assert_int_equal(control_open(&other.control, &env), 0);
	world_close(&other);
}

static void a_file_in_its_place_is_left_alone(void **state)
{
	struct world other;
	struct control_env env = { .sessions = &other.sessions };
	struct control *none = NULL;
	char file[80];

	(void)state;
	world_open(&other);
	env.run_dir = other.dir;
	env.loop = other.loop;
	env.metrics = other.metrics;
	env.alarms = other.alarms;
	control_close(other.control);
	other.control = NULL;
	snprintf(file, sizeof file, "%s/ctl", other.dir);
	fclose(fopen(file, "w"));
	assert_int_equal(control_open(&none, &env), -EEXIST);
	assert_int_equal(unlink(file), 0);
	world_close(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_socket_is_for_owner_and_group_only),
		cmocka_unit_test(a_client_that_said_all_still_gets_its_answer),
		cmocka_unit_test(several_requests_in_one_packet_are_answered_in_order),
		cmocka_unit_test(what_is_no_request_is_told_so),
		cmocka_unit_test(a_line_without_end_is_cut_off),
		cmocka_unit_test(half_a_line_is_not_answered),
		cmocka_unit_test(a_reload_is_answered_after_it_ran),
		cmocka_unit_test(a_refused_reload_gives_every_fault),
		cmocka_unit_test(no_reload_before_ready_or_when_stopping),
		cmocka_unit_test(a_crowd_is_turned_away_and_those_inside_are_served),
		cmocka_unit_test(who_goes_away_before_the_answer_harms_nobody),
		cmocka_unit_test(a_second_daemon_does_not_take_the_socket_away),
		cmocka_unit_test(the_socket_of_a_dead_daemon_is_replaced),
		cmocka_unit_test(a_file_in_its_place_is_left_alone),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
