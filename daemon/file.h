/*
 * file.h - a whole text file in memory: what configurations are read from.  Knows proto/json.h
 * for its errors.
 */
#ifndef FILE_H
#define FILE_H

#include "proto/json.h"

/*
 * The text of the file at path, at most a megabyte, *len bytes of it; the caller frees it.
 * NULL with *err set, -ENOENT and the like, its sentence beginning with the path.
 */
char *file_read(const char *path, size_t *len, struct ecp_error *err);

/* Pass on *why, if it is an error, as one of the file at path. */
int file_error(const char *path, const struct ecp_error *why, struct ecp_error *err);

#endif
