/*
 * check_isolation.c - what is given up is gone, and what the daemon still needs works.
 */
#include "daemon/channel.h"
#include "daemon/isolation.h"
#include "tests/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOMEBODY 61399 /* no account has it */

static const struct isolation_user somebody = {SOMEBODY, SOMEBODY};

/* A line of /proc/self/status as a number. */
static unsigned long status(const char *key, int base)
{
	char line[256];
	unsigned long value = ~0ul;
	FILE *file = fopen("/proc/self/status", "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			value = strtoul(line + strlen(key) + 1, NULL, base);
	fclose(file);
	return value;
}

START_TEST(test_everything_is_gone)
{
	bool other = _i;
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapAmb",
					   "CapBnd"};
	ck_assert_int_eq(isolation_enter(other ? &somebody : NULL), 0);
	for (unsigned i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		ck_assert_msg(status(sets[i], 16) == 0, "%s", sets[i]);
	ck_assert_uint_eq(status("NoNewPrivs", 10), 1);
	ck_assert_uint_eq(getuid(), other ? SOMEBODY : 0);
	ck_assert_uint_eq(getgid(), other ? SOMEBODY : 0);
	ck_assert(!isolation_has_net_raw());
	ck_assert_int_eq(socket(AF_PACKET, SOCK_RAW, 0), -1);
	/* the system call: glibc's asks every thread, and a sanitizer's kept its capabilities */
	ck_assert_int_eq(syscall(SYS_setuid, 1), -1);
	if (other)
		ck_assert_int_eq(getgroups(0, NULL), 0);
}
END_TEST

/* Memory for clients is reopened read-only through /proc/self/fd: also as nobody. */
START_TEST(test_channels_can_still_be_made)
{
	struct channel *ch;
	ck_assert_int_eq(isolation_enter(&somebody), 0);
	ck_assert_int_eq(channel_new(&ch, ECP_RING_MIN, ECP_RING_MIN, 10, 1), 0);
	ck_assert_int_ge(ch->peer_fds[ECP_FD_D], 0);
	channel_free(ch);
}
END_TEST

START_TEST(test_who_is_meant)
{
	struct isolation_user u = {7, 7};
	gid_t g = 7;
	ck_assert_int_eq(isolation_parse_user("root", &u), 0);
	ck_assert(u.uid == 0 && u.gid == 0);
	ck_assert_int_eq(isolation_parse_user("61399", &u), 0);
	ck_assert(u.uid == 61399 && u.gid == 61399);
	ck_assert_int_eq(isolation_parse_user("61399:5", &u), 0);
	ck_assert(u.uid == 61399 && u.gid == 5);
	ck_assert_int_eq(isolation_parse_user("nobody:root", &u), 0);
	ck_assert(u.uid == 65534 && u.gid == 0);
	static const char *const bad[] = {
	    "",   ":",          "nobody-such", "root:nobody-such",
	    "-1", "4294967295", "99999999999", "12x"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		u = (struct isolation_user){7, 7};
		ck_assert_msg(isolation_parse_user(bad[i], &u) < 0, "\"%s\"", bad[i]);
		ck_assert_uint_eq(u.uid, 7);
	}
	ck_assert_int_eq(isolation_parse_group("root", &g), 0);
	ck_assert_uint_eq(g, 0);
	ck_assert_int_lt(isolation_parse_group("nobody-such", &g), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("isolation");
	TCase *names = tcase_create("names");
	tcase_add_test(names, test_who_is_meant);
	suite_add_tcase(s, names);
	if (getuid() == 0) {
		TCase *tc = tcase_create("as root");
		tcase_add_loop_test(tc, test_everything_is_gone, 0, 2);
		tcase_add_test(tc, test_channels_can_still_be_made);
		suite_add_tcase(s, tc);
	} else {
		printf("SKIP: giving up privileges needs some: run as root\n");
	}
	return suite_run(s);
}
