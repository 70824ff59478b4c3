/*
 * error.c - a sentence for each error, kept per thread.
 */
#include "client-lib/internal.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char last_error[ECP_ERROR_TEXT] = "no error";
static _Thread_local int last_code;

int eci_error_set(int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(last_error, sizeof(last_error), format, args);
	va_end(args);
	last_code = code;
	return code;
}

int eci_error_code(void)
{
	return last_code;
}

int eci_error_take(const struct ecp_error *err)
{
	return eci_error_set(err->code, "%s", err->text);
}

EC_API const char *ec_error_text(void)
{
	return last_error;
}

EC_API const char *ec_version(void)
{
	return EC_VERSION;
}
