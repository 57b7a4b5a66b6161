/* SPDX-License-Identifier: Apache-2.0 */
/* sink.h - where lines go: a file that is rotated, or standard output
 *
 * A line is written as a whole or not at all. Nothing waits: what cannot be written now is refused.
 */
#ifndef JSONL_SINK_H
#define JSONL_SINK_H

#include <stddef.h>
#include <stdint.h>

struct sink;

/**
 * @param path  NULL: standard output
 * @param rotate_bytes  a file that would grow above it becomes PATH.1, the one before PATH.2; 0: never
 * @param keep  how many of these stay
 * @return 0 or a negative errno; a file that cannot be opened now is tried again with each line
 */
int sink_open(struct sink **out, const char *path, uint64_t rotate_bytes, unsigned keep);
/* line ends with its line end. 0; -EAGAIN the reader of standard output is behind; -ENOSPC and what else the system says. Nothing of
 * it is written then. */
int sink_write(struct sink *s, const char *line, size_t len);
int sink_pending(const struct sink *s); /* a descriptor that has to become writable for the rest of a line; -1: none */
void sink_flush(struct sink *s);        /* that rest */
void sink_close(struct sink *s);        /* NULL is fine */

#endif
