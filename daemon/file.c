/*
 * file.c - reading whole text files.
 */
#include "daemon/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1 << 20)

int file_error(const char *path, const struct ecp_error *why, struct ecp_error *err)
{
	if (why->code)
		ecp_error_set(err, why->code, "%.60s: %.130s", path, why->text);
	return err->code;
}

char *file_read(const char *path, size_t *len, struct ecp_error *err)
{
	struct ecp_error why = {0};
	char *text = malloc(FILE_MAX);
	FILE *file = text ? fopen(path, "re") : NULL;
	if (!file) {
		free(text);
		ecp_error_set(err, -errno, "%s: %s", path, strerror(errno));
		return NULL;
	}
	*len = fread(text, 1, FILE_MAX, file);
	if (ferror(file))
		ecp_error_set(&why, -EIO, "cannot be read");
	else if (*len == FILE_MAX)
		ecp_error_set(&why, -EMSGSIZE, "longer than a megabyte");
	fclose(file);
	if (file_error(path, &why, err) == 0)
		return text;
	free(text);
	return NULL;
}
