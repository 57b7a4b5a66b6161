/* SPDX-License-Identifier: Apache-2.0 */
/* replay_main.c - runs a fuzz target over files, without a fuzzer
 *
 * `make check` gives every corpus file to its target this way, with any compiler and under any sanitizer. Arguments are
 * files and directories (read to any depth, in order of names). Each file is named on stderr before it runs, so that
 * the last line before a crash says which one it was; the count of files goes to stdout. Empty files run too. Each
 * input is given in a heap block of exactly its size: one octet beyond is a finding under AddressSanitizer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);
	size_t got = 0;

	if (!f || !data) {
		perror(path);
		if (f)
			fclose(f);
		free(data);
		return -1;
	}
	got = fread(data, 1, size, f);
	fclose(f);
	if (got != size) {
		fprintf(stderr, "%s: short read\n", path);
		free(data);
		return -1;
	}
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

static int replay_path(const char *path, size_t *files);

static int no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int replay_directory(const char *path, size_t *files)
{
	struct dirent **entries = NULL;
	int n = scandir(path, &entries, no_dots, alphasort), err = n < 0 ? -1 : 0;
	char inside[4096];

	for (int i = 0; i < n; i++) {
		int len = snprintf(inside, sizeof inside, "%s/%s", path, entries[i]->d_name);

		if (len < 0 || (size_t)len >= sizeof inside || replay_path(inside, files))
			err = -1;
		free(entries[i]);
	}
	free(entries);
	return err;
}

static int replay_path(const char *path, size_t *files)
{
	struct stat st;

	if (stat(path, &st)) {
		perror(path);
		return -1;
	}
	if (S_ISDIR(st.st_mode))
		return replay_directory(path, files);
	if (!S_ISREG(st.st_mode)) {
		fprintf(stderr, "%s: neither a file nor a directory\n", path);
		return -1;
	}
	++*files;
	return replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	size_t files = 0;
	int err = 0;

	for (int i = 1; i < argc; i++)
		if (replay_path(argv[i], &files))
			err = 1;
	printf("%zu files\n", files);
	return err;
}
