/* SPDX-License-Identifier: Apache-2.0 */
/* test_process.c - directories of the daemon's own, and words to its supervisor */
#include "unit/control/talk.h"

#include <stddef.h>
#include <sys/stat.h>

#include "control/notify.h"

static char dir[] = "/tmp/niddgw-process-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void a_directory_is_made_with_its_parents_and_closed_to_others(void **state)
{
	char path[64], parent[64];

	(void)state;
	snprintf(parent, sizeof parent, "%s/a", dir);
	snprintf(path, sizeof path, "%s/a/b", dir);
	assert_int_equal(dir_make(path), 0);
	assert_int_equal(mode_of(path), 0750);
	assert_int_equal(dir_make(path), 0); /* is there already */
	rmdir(path);
	rmdir(parent);
}

static void a_directory_that_others_can_write_is_refused(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof path, "%s/open", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 01777), 0);
	assert_int_equal(dir_make(path), -EPERM);
	rmdir(path);
}

static void a_file_is_no_directory(void **state)
{
	(void)state;
	assert_int_equal(dir_make("/dev/null"), -ENOTDIR);
	assert_int_equal(dir_make("/dev/null/x"), -ENOTDIR);
	assert_int_equal(dir_make(""), -ENOENT);
}

/* A supervisor's socket under that name; its descriptor. */
static int supervisor(const char *path, bool abstract)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t len = strlen(path);

	memcpy(at.sun_path, path, len);
	if (abstract)
		at.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	return fd;
}

static void expect_word(int fd, const char *word)
{
	char got[64] = "";

	assert_int_equal(notify_send(word), 0);
	assert_int_equal(recv(fd, got, sizeof got - 1, 0), strlen(word));
	assert_string_equal(got, word);
}

static void the_supervisor_hears_at_a_path(void **state)
{
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/notify", dir);
	fd = supervisor(path, false);
	setenv("NOTIFY_SOCKET", path, 1);
	expect_word(fd, "READY=1");
	close(fd);
	unlink(path);
}

static void the_supervisor_hears_at_an_abstract_name(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof name, "@niddgw-test-%d", (int)getpid());
	fd = supervisor(name, true);
	setenv("NOTIFY_SOCKET", name, 1);
	expect_word(fd, "STOPPING=1");
	close(fd);
}

static void without_a_supervisor_nothing_happens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_send("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_send("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(notify_send("READY=1"), -ENOENT);
	unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_is_made_with_its_parents_and_closed_to_others),
		cmocka_unit_test(a_directory_that_others_can_write_is_refused),
		cmocka_unit_test(a_file_is_no_directory),
		cmocka_unit_test(the_supervisor_hears_at_a_path),
		cmocka_unit_test(the_supervisor_hears_at_an_abstract_name),
		cmocka_unit_test(without_a_supervisor_nothing_happens),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
