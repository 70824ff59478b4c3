/*
 * check_config.c - configuration files and command lines: what is taken, what is refused and
 * with which words.
 */
#include "daemon/config.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config config;

static void setup(void)
{
	unsetenv("SUDO_GID");
	config_defaults(&config);
}

static int parse(const char *text, struct ecp_error *err)
{
	*err = (struct ecp_error){0};
	return config_parse(&config, text, strlen(text), err);
}

/* The example in config.h's head, as people will copy it. */
START_TEST(test_example)
{
	static const char example[] =
	    "{ \"socket\": \"/run/etherconnd/etherconnd.sock\", \"group\": \"nogroup\", /* "
	    "who */\n"
	    "  \"policy\": \"/etc/p\",\n"
	    "  \"user\": \"nobody\", \"log\": \"debug\", \"max_clients\": 10,\n"
	    "  \"max_endpoints\": 100, \"max_memory_mib\": 64, \"seccomp\": false, // of "
	    "one client\n"
	    "  \"relays\": [ { \"interface\": \"eth1\", \"backend\": \"pcap\",\n"
	    "                \"send\": \"socket\",\n"
	    "                \"promiscuous\": false, \"frame_size\": 1522,\n"
	    "                \"ring_frames\": 8192 }, {\"interface\": \"eth2\"} ] }";
	struct ecp_error err;
	ck_assert_msg(parse(example, &err) == 0, "%s", err.text);
	ck_assert_str_eq(config.socket, "/run/etherconnd/etherconnd.sock");
	ck_assert(config.have_group && config.have_user);
	ck_assert_uint_eq(config.user.uid, 65534);
	ck_assert_int_eq(config.log_level, LOG_LEVEL_DEBUG);
	ck_assert_str_eq(config.policy, "/etc/p");
	ck_assert_uint_eq(config.max_clients, 10);
	ck_assert_uint_eq(config.max_endpoints, 100);
	ck_assert_uint_eq(config.max_memory_mib, 64);
	ck_assert(!config.seccomp);
	ck_assert_uint_eq(config.n_relays, 2);
	ck_assert_str_eq(config.relays[0].interface, "eth1");
	ck_assert_str_eq(config.relays[0].backend, "pcap");
	ck_assert(!config.relays[0].promiscuous);
	ck_assert_int_eq(config.relays[0].send, RELAY_SEND_SOCKET);
	ck_assert_uint_eq(config.relays[0].frame_size, 1522);
	ck_assert_uint_eq(config.relays[0].ring_frames, 8192);
	ck_assert_str_eq(config.relays[1].backend, "af_packet");
	ck_assert(config.relays[1].promiscuous);
	ck_assert_int_eq(config.relays[1].send, RELAY_SEND_AUTO);
}
END_TEST

static const struct {
	const char *text, *says;
} bad_files[] = {
    {"", "line 1"},
    {"{\n\n  \"relays\": [ }\n", "line 3"},
    {"[]", "must be an object"},
    {"{\"colour\": 1}", "unknown key \"colour\""},
    {"{\"log\": \"info\", \"log\": \"debug\"}", "\"log\" stands twice"},
    {"{\"log\": \"chatty\"}", "\"chatty\" is none of"},
    {"{\"log\": 7}", "log: must be a string"},
    {"{\"user\": \"nobody-such\"}", "there is no \"nobody-such\""},
    {"{\"group\": \"nobody-such\"}", "there is no \"nobody-such\""},
    {"{\"socket\": \"\"}", "socket: a path"},
    {"{\"policy\": \"\"}", "policy: the path of a file"},
    {"{\"policy\": {}}", "policy: must be a string"},
    {"{\"max_clients\": 0}", "max_clients: must be from 1"},
    {"{\"max_clients\": 1.5}", "whole number"},
    {"{\"max_clients\": -1}", "whole number"},
    {"{\"max_clients\": \"many\"}", "must be a number"},
    {"{\"seccomp\": 1}", "seccomp"},
    {"{\"max_endpoints\": 16777216}", "max_endpoints: must be from"},
    {"{\"max_memory_mib\": 0}", "max_memory_mib: must be from"},
    {"{\"max_memory_mib\": 1048577}", "max_memory_mib: must be from"},
    {"{\"relays\": {}}", "relays: must be an array"},
    {"{\"relays\": [7]}", "must be an object"},
    {"{\"relays\": [{}]}", "\"\" is not an interface name"},
    {"{\"relays\": [{\"interface\": \"a/b\"}]}", "\"a/b\" is not an interface name"},
    {"{\"relays\": [{\"interface\": \"sixteen-letters-\"}]}", "is not an interface name"},
    {"{\"relays\": [{\"interface\": \"e\", \"colour\": 1}]}", "unknown key \"colour\""},
    {"{\"relays\": [{\"interface\": \"e\", \"speed\": -1}]}", "speed: must be"},
    {"{\"relays\": [{\"interface\": \"e\", \"filter\": 7}]}", "filter: must be a string"},
    {"{\"relays\": [{\"interface\": \"e\", \"read\": false}]}", "read: must be a string"},
    {"{\"relays\": [{\"interface\": \"e\", \"write\": 7}]}", "write: must be a string"},
    {"{\"capture_group\": \"nobody-such\"}", "capture_group: there is no"},
    {"{\"relays\": [{\"interface\": \"e\", \"backend\": \"dpdk\"}]}",
     "none of af_packet, af_packet_v3"},
    {"{\"relays\": [{\"interface\": \"e\", \"send\": \"fast\"}]}",
     "send: \"fast\" is none of auto, xdp, socket"},
    {"{\"relays\": [{\"interface\": \"e\", \"promiscuous\": 1}]}", "true or false"},
    {"{\"relays\": [{\"interface\": \"e\"}, {\"interface\": \"e\"}]}", "e is named twice"},
    {"{\"relays\": [{\"interface\": \"e\", \"frame_size\": 100000}]}",
     "frame_size: must be"},
    {"{\"log\": \"info\"} // and more\n}", "line 2"},
};

START_TEST(test_bad_file)
{
	struct ecp_error err;
	ck_assert_msg(parse(bad_files[_i].text, &err) < 0, "%s", bad_files[_i].text);
	ck_assert_msg(strstr(err.text, bad_files[_i].says), "%s\nsaid: %s",
		      bad_files[_i].text, err.text);
}
END_TEST

START_TEST(test_comments_are_not_in_strings)
{
	struct ecp_error err;
	ck_assert_msg(parse("{\"socket\": \"/run/a//b\\\"/*c*/\"}", &err) == 0, "%s",
		      err.text);
	ck_assert_str_eq(config.socket, "/run/a//b\"/*c*/");
}
END_TEST

/* ---- command lines; what they print is no matter here ---- */

static enum config_action from_args(const char *line)
{
	char copy[400], *argv[20], *save = NULL;
	int argc = 0;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	int null = open("/dev/null", O_WRONLY);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	return config_from_args(&config, argc, argv);
}

static const struct {
	const char *line;
	enum config_action action;
} lines[] = {
    {"etherconnd -i eth0", CONFIG_RUN},
    {"etherconnd --interface=eth0 -i eth1 --backend pcap", CONFIG_RUN},
    {"etherconnd -i eth0 --send xdp", CONFIG_RUN},
    {"etherconnd -i eth0 -S fast", CONFIG_EXIT_USAGE},
    {"etherconnd -h", CONFIG_EXIT_OK},
    {"etherconnd -V", CONFIG_EXIT_OK},
    {"etherconnd", CONFIG_EXIT_USAGE},
    {"etherconnd -i", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 -i eth0", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 -b dpdk", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 -f tcp", CONFIG_RUN},
    {"etherconnd -i x -b pcapfile -r in.pcap -w out.pcap", CONFIG_RUN},
    {"etherconnd -i eth0 -r in.pcap", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 -l loud", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 -u nobody-such", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 -u nobody:nobody-such", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 -g nobody-such", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 eth1", CONFIG_EXIT_USAGE},
    {"etherconnd -i eth0 --frobnicate", CONFIG_EXIT_USAGE},
    {"etherconnd -c /none/etherconnd.conf", CONFIG_EXIT_USAGE},
};

START_TEST(test_command_line)
{
	ck_assert_msg(from_args(lines[_i].line) == lines[_i].action, "%s", lines[_i].line);
}
END_TEST

/* Whatever is wrong, main() must know whose mistake it is not to judge. */
START_TEST(test_hand_over_is_known)
{
	ck_assert_int_eq(from_args("etherconnd -c /none/etherconnd.conf --handover"),
			 CONFIG_EXIT_USAGE);
	ck_assert(config.hand_over);
	ck_assert_int_eq(from_args("etherconnd --frobnicate -H"), CONFIG_EXIT_USAGE);
	ck_assert(config.hand_over);
	ck_assert_int_eq(from_args("etherconnd -c /none/etherconnd.conf"),
			 CONFIG_EXIT_USAGE);
	ck_assert(!config.hand_over);
}
END_TEST

START_TEST(test_command_line_over_file)
{
	char path[] = "/tmp/check_config-XXXXXX", line[200];
	static const char text[] =
	    "{\"log\":\"error\", \"socket\":\"/a\",\n"
	    "\"relays\":[{\"interface\":\"f1\"},{\"interface\":\"f2\"}]}";
	int fd = mkstemp(path);
	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	snprintf(line, sizeof(line), "etherconnd -i c1 -l debug -u 1234:5678 -g 99 -c %s",
		 path);
	enum config_action action = from_args(line);
	unlink(path);
	ck_assert_int_eq(action, CONFIG_RUN);
	ck_assert_str_eq(config.socket, "/a");
	ck_assert_int_eq(config.log_level, LOG_LEVEL_DEBUG);
	ck_assert_uint_eq(config.n_relays, 1);
	ck_assert_str_eq(config.relays[0].interface, "c1");
	ck_assert_uint_eq(config.user.uid, 1234);
	ck_assert_uint_eq(config.user.gid, 5678);
	ck_assert_uint_eq(config.group, 99);
}
END_TEST

START_TEST(test_sudo_serves_who_typed_it)
{
	if (geteuid() != 0)
		return; /* then nobody's group is taken: the row below says so */
	setenv("SUDO_GID", "4242", 1);
	ck_assert_int_eq(from_args("etherconnd -i eth0"), CONFIG_RUN);
	ck_assert(config.have_group);
	ck_assert_uint_eq(config.group, 4242);
	ck_assert_int_eq(from_args("etherconnd -i eth0 -g 7"), CONFIG_RUN);
	ck_assert_uint_eq(config.group, 7);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("config");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_example);
	tcase_add_loop_test(tc, test_bad_file, 0, sizeof(bad_files) / sizeof(*bad_files));
	tcase_add_test(tc, test_comments_are_not_in_strings);
	tcase_add_loop_test(tc, test_command_line, 0, sizeof(lines) / sizeof(*lines));
	tcase_add_test(tc, test_hand_over_is_known);
	tcase_add_test(tc, test_command_line_over_file);
	tcase_add_test(tc, test_sudo_serves_who_typed_it);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
