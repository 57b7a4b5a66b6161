/* SPDX-License-Identifier: Apache-2.0 */
/* journal_segment.c - the files: names, beginning a new one, reading and writing whole pieces
 *
 * A segment is complete with its head, synced, before it gets its name; so a file with a name and no head is damaged,
 * and never one that was only begun.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal_inside.h"

void segment_name(char name[SEGMENT_NAME], uint64_t number, const char *suffix)
{
	snprintf(name, SEGMENT_NAME, "%08" PRIu64 ".seg%s", number, suffix);
}

int journal_open_dir(int state_fd)
{
	const bool made = !mkdirat(state_fd, "journal", 0700);
	int fd;

	if (!made && errno != EEXIST)
		return -errno;
	if (made && fsync(state_fd))
		return -errno;
	fd = openat(state_fd, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

ssize_t segment_read(int fd, void *to, size_t len, off_t at)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = pread(fd, (uint8_t *)to + done, len - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !done)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

void journal_link(struct journal *j, struct segment *seg)
{
	*(j->newest ? &j->newest->next : &j->oldest) = seg;
	j->newest = seg;
	j->segments++;
}

int segment_write(const struct journal *j, int fd, const uint8_t *data, size_t len, size_t at)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = j->ops->write(j->ops->arg, fd, data + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* The file under its temporary name, complete with its head and synced. A descriptor or a negative errno. */
static int make_file(struct journal *j, const char *fresh, const struct segment_head *h)
{
	uint8_t head[SEGMENT_HEAD];
	int fd, err;

	(void)unlinkat(j->dir_fd, fresh, 0);
	fd = openat(j->dir_fd, fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* Room is taken now, so that a full disk shows here and not at some record; without it things work as well. */
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)journal_segment_size(j));
	segment_head_write(head, h);
	err = segment_write(j, fd, head, sizeof head, 0);
	if (!err && j->ops->sync(j->ops->arg, fd))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	(void)unlinkat(j->dir_fd, fresh, 0);
	return err;
}

static int name_file(struct journal *j, const char *fresh, uint64_t number)
{
	char name[SEGMENT_NAME];

	segment_name(name, number, "");
	if (renameat(j->dir_fd, fresh, j->dir_fd, name))
		return -errno;
	return fsync(j->dir_fd) ? -errno : 0;
}

/* Someone may have removed the directory: then a new one is made, once. */
static int make_file_somewhere(struct journal *j, const char *fresh, const struct segment_head *h)
{
	int fd = make_file(j, fresh, h), dir;

	if (fd != -ENOENT)
		return fd;
	dir = journal_open_dir(j->state_fd);
	if (dir < 0)
		return dir;
	close(j->dir_fd);
	j->dir_fd = dir;
	store_note(&j->note, "the directory was gone and was made again");
	return make_file(j, fresh, h);
}

void journal_close_newest(struct journal *j)
{
	if (j->fd < 0)
		return;
	(void)!ftruncate(j->fd, (off_t)j->newest->size); /* gives back what was taken ahead; nothing depends on it */
	close(j->fd);
	j->fd = -1;
}

static void head_of(const struct journal *j, struct segment_head *h)
{
	*h = (struct segment_head){
		.number = j->next_number,
		.first_seq = j->next_seq,
		.id_mark = j->id_after,
		.wall_ms = store_wall_ms(),
	};
	store_random(&h->salt, sizeof h->salt);
	memcpy(h->boot_id, j->boot_id, sizeof h->boot_id);
}

static int roll(struct journal *j)
{
	struct segment *seg = calloc(1, sizeof *seg);
	struct segment_head h;
	char fresh[SEGMENT_NAME];
	int fd, err;

	if (!seg)
		return -ENOMEM;
	journal_close_newest(j);
	head_of(j, &h);
	segment_name(fresh, h.number, ".new");
	store_failpoint("journal.roll");
	fd = make_file_somewhere(j, fresh, &h);
	store_failpoint("journal.rolled");
	err = fd < 0 ? fd : name_file(j, fresh, h.number);
	if (err) {
		if (fd >= 0)
			close(fd);
		free(seg);
		return err;
	}
	*seg = (struct segment){ .number = h.number, .first_seq = h.first_seq, .salt = h.salt, .size = SEGMENT_HEAD };
	memcpy(seg->boot_id, h.boot_id, sizeof seg->boot_id);
	journal_link(j, seg);
	j->bytes += seg->size;
	j->next_number++;
	j->fd = fd;
	return 0;
}

/* A file that someone removed takes writes as before, and loses them. */
static bool is_there(const struct journal *j)
{
	struct stat st;

	return !fstat(j->fd, &st) && st.st_nlink;
}

int journal_ready(struct journal *j)
{
	if (j->fd >= 0 && j->newest->size < journal_segment_size(j) && is_there(j))
		return 0;
	return roll(j);
}
