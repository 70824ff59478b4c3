/*
 * check_policy_daemon.c - a whole daemon under a policy: what it refuses and how it says so,
 * what it logs, and what SIGHUP changes.
 *
 *   test --SEQPACKET--> daemon process --stderr--> pipe --> test
 */
#include "daemon/config.h"
#include "daemon/denials.h"
#include "proto/channel.h"
#include "proto/msg.h"
#include "tests/daemon_process.h"
#include "tests/hostile.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAC  "02:00:00:00:00:01"
#define MAC2 "02:00:00:00:00:02"

static struct daemon_process served;
static char file[] = "/tmp/check_policy-XXXXXX";
static int log_end = -1, fd = -1;
static char text[ECP_MSG_MAX + 1], line[1024];
static struct ecp_reply rep;

/* ---- the log ---- */

/* From now on stderr goes into a pipe. */
static int catch_stderr(int *saved)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	*saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return ends[0];
}

static void release_stderr(int saved)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
}

/* The next line of the log; false: none within the time. */
static bool next_line(int timeout_ms)
{
	struct pollfd p = {.fd = log_end, .events = POLLIN};
	size_t len = 0;
	while (len < sizeof(line) - 1 && poll(&p, 1, timeout_ms) == 1 &&
	       read(log_end, line + len, 1) == 1)
		if (line[len++] == '\n')
			break;
	line[len] = 0;
	return len > 0;
}

static void expect_line(const char *words)
{
	ck_assert_msg(next_line(5000), "no line with \"%s\"", words);
	ck_assert_msg(strstr(line, words), "not \"%s\" but: %s", words, line);
}

/* ---- the daemon ---- */

/* A policy whose rules are for whoever runs this test. */
static void write_policy(const char *rules)
{
	FILE *f = fopen(file, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "{ \"rules\": [\n{ \"users\": [\"%u\"], \"name\": \"me\", %s\n] }\n",
		getuid(), rules);
	fclose(f);
}

static void reload(const char *rules)
{
	write_policy(rules);
	kill(served.pid, SIGHUP);
}

static void setup(void)
{
	int saved;
	close(mkstemp(strcpy(file, "/tmp/check_policy-XXXXXX")));
	chmod(file, 0644);
	log_end = catch_stderr(&saved);
	struct config config;
	config_defaults(&config);
	config.log_level = LOG_LEVEL_INFO;
	snprintf(config.policy, sizeof(config.policy), "%s", file);
	write_policy("\"vlans\": [\"5-9\"] }");
	daemon_process_start_config(&served, &config);
	release_stderr(saved);
	expect_line("policy of 1 rules from /tmp/check_policy-");
}

static void teardown(void)
{
	close(fd);
	int status = daemon_process_stop(&served);
	close(log_end);
	unlink(file);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

static int connect_client(void)
{
	int c = ecp_sock_connect(served.sock);
	ck_assert_int_ge(c, 0);
	return c;
}

static void receive(int from)
{
	struct ecp_error err = {0};
	ssize_t n = ecp_sock_recv(from, text, ECP_MSG_MAX, NULL, NULL);
	ck_assert_int_gt(n, 0);
	ck_assert_msg(ecp_reply_parse(text, (size_t)n, &rep, &err) == 0, "%s", err.text);
}

static void ask(int to, const char *message)
{
	ck_assert_int_eq(ecp_sock_send(to, message, strlen(message), NULL, 0), 0);
	receive(to);
}

static void attach(int to)
{
	ask(to, "{\"request\":\"attach\",\"version\":1}");
	ck_assert_msg(rep.type == ECP_REP_ATTACHED, "%s", rep.error.text);
}

/* The one item of an open. */
static const struct ecp_error *open_item(const char *item)
{
	char message[300];
	snprintf(message, sizeof(message), "{\"request\":\"open\",\"endpoints\":[%s]}",
		 item);
	ask(fd, message);
	ck_assert_int_eq(rep.type, ECP_REP_OPENED);
	return &rep.opened.items[0].error;
}

#define L2(mac, vlan) "{\"l2\":\"" mac "\",\"vlans\":[{\"id\":" #vlan "}]}"

static void expect(const struct ecp_error *err, int code, const char *words)
{
	ck_assert_msg(err->code == code, "%d: %s", err->code, err->text);
	ck_assert_msg(!code || strstr(err->text, words), "%s", err->text);
}

static void expect_error(int code, const char *words)
{
	ck_assert_int_eq(rep.type, ECP_REP_ERROR);
	expect(&rep.error, code, words);
}

/* ---- */

START_TEST(test_claim)
{
	char words[100];
	fd = connect_client();
	attach(fd);
	expect(open_item(L2(MAC, 5)), 0, "");
	expect(open_item(L2(MAC, 10)), -EACCES,
	       MAC "|10: rule \"me\" does not allow these VLANs");
	snprintf(words, sizeof(words),
		 "denied to uid %u, pid %d (check_policy_da): " MAC "|10", getuid(),
		 getpid());
	expect_line(words);
	expect(open_item("{\"udp\":\"10.0.0.1:1\",\"on\":0}"), 0, "");
	ask(fd, "{\"request\":\"status\"}");
	ck_assert_uint_eq(rep.status.denied, 1);
	ask(fd, "{\"request\":\"show\",\"what\":\"clients\"}");
	ck_assert_uint_eq(rep.page.clients[0].denied, 1);
}
END_TEST

START_TEST(test_set_local)
{
	reload("\"ports\": [\"67\", \"68\"] }");
	expect_line("policy of 1 rules");
	fd = connect_client();
	attach(fd);
	expect(open_item(L2(MAC, 10)), 0, "");
	expect(open_item("{\"udp\":\"10.0.0.1:1\",\"on\":0}"), -EACCES, "this port");
	expect_line("this port");
	expect(open_item("{\"udp\":\"10.0.0.1:68\",\"on\":0}"), 0, "");
	ask(fd, "{\"request\":\"set_local\",\"id\":1,\"local\":\"10.0.0.1:69\"}");
	expect_error(-EACCES, "UDP 10.0.0.1:69: rule \"me\" does not allow this port");
	expect_line("this port");
	ask(fd, "{\"request\":\"set_local\",\"id\":1,\"local\":\"10.0.0.1:67\"}");
	ck_assert_int_eq(rep.type, ECP_REP_LOCAL_SET);
}
END_TEST

START_TEST(test_attach)
{
	reload("\"deny\": true }");
	expect_line("policy of 1 rules");
	fd = connect_client();
	ask(fd, "{\"request\":\"attach\",\"version\":1}");
	expect_error(-EACCES, "rule \"me\" allows nothing");
	expect_line("allows nothing");
	ask(fd, "{\"request\":\"status\"}"); /* which is no claim */
	ck_assert_int_eq(rep.type, ECP_REP_STATUS);
}
END_TEST

START_TEST(test_limit_of_rings)
{
	reload("\"limits\": { \"ring\": 1048576 } }");
	expect_line("policy of 1 rules");
	fd = connect_client();
	ask(fd, "{\"request\":\"attach\",\"version\":1,\"rx_ring\":1048576}");
	expect_error(-EDQUOT, "rule \"me\": the limit \"ring\" is 1048576");
	expect_line("the limit \"ring\"");
	attach(fd); /* what fits */
	ck_assert_uint_eq(rep.attached.rx_ring, 524288);
	ck_assert_uint_eq(rep.attached.tx_ring, 524288);
	int second = connect_client();
	ask(second, "{\"request\":\"attach\",\"version\":1,\"tx_ring\":65536}");
	ck_assert_int_eq(rep.type, ECP_REP_ATTACHED);
	ck_assert_uint_eq(rep.attached.rx_ring, 524288);
	close(second);
}
END_TEST

START_TEST(test_limit_of_endpoints)
{
	reload("\"limits\": { \"endpoints\": 2 } }");
	expect_line("policy of 1 rules");
	fd = connect_client();
	attach(fd);
	expect(open_item(L2(MAC, 5)), 0, "");
	expect(open_item("{\"udp\":\"10.0.0.1:1\",\"on\":0}"), 0, "");
	expect(open_item("{\"udp\":\"10.0.0.1:2\",\"on\":0}"), -EDQUOT,
	       "rule \"me\": the limit \"endpoints\" is 2");
	expect(open_item(L2(MAC2, 5)), -EDQUOT, "the limit \"endpoints\" is 2");
	ask(fd, "{\"request\":\"close\",\"ids\":[1]}");
	expect(open_item(L2(MAC2, 5)), 0, "");
}
END_TEST

START_TEST(test_limit_of_clients)
{
	reload("\"limits\": { \"clients\": 2 } }");
	expect_line("policy of 1 rules");
	int others[2];
	for (unsigned i = 0; i < 2; i++) {
		others[i] = connect_client();
		ask(others[i], "{\"request\":\"status\"}");
		ck_assert_int_eq(rep.type, ECP_REP_STATUS);
	}
	fd = connect_client();
	receive(fd);
	expect_error(-EDQUOT, "the limit \"clients\" is 2");
	ck_assert_int_eq(ecp_sock_recv(fd, text, ECP_MSG_MAX, NULL, NULL), 0);
	close(fd);
	/* one that has left makes room; its leaving is seen in the answer of the other */
	close(others[0]);
	ask(others[1], "{\"request\":\"status\"}");
	while (rep.status.clients != 1)
		ask(others[1], "{\"request\":\"status\"}");
	fd = connect_client();
	ask(fd, "{\"request\":\"status\"}");
	ck_assert_int_eq(rep.type, ECP_REP_STATUS);
	close(others[1]);
}
END_TEST

START_TEST(test_limit_of_requests)
{
	unsigned answered = 0, refused = 0;
	reload("\"limits\": { \"requests_per_s\": 3 } }");
	expect_line("policy of 1 rules");
	fd = connect_client();
	while (!refused && answered < 1000) {
		ask(fd, "{\"request\":\"status\"}");
		if (rep.type == ECP_REP_STATUS)
			answered++;
		else
			refused++;
	}
	ck_assert_uint_ge(answered, 3);
	expect_error(-EDQUOT, "rule \"me\": the limit \"requests_per_s\" is 3");
	expect_line("the limit \"requests_per_s\"");
	reload("\"raw\": true }"); /* it holds at once */
	expect_line("policy of 1 rules");
	ask(fd, "{\"request\":\"status\"}");
	ck_assert_int_eq(rep.type, ECP_REP_STATUS);
}
END_TEST

/* ---- SIGHUP ---- */

START_TEST(test_good_file)
{
	fd = connect_client();
	attach(fd);
	expect(open_item(L2(MAC, 5)), 0, "");
	expect(open_item(L2(MAC, 20)), -EACCES, "these VLANs");
	expect_line("these VLANs");
	reload("\"vlans\": [\"20\"] }, {}");
	expect_line("policy of 2 rules");
	expect(open_item(L2(MAC, 20)), 0, "");
	expect(open_item(L2(MAC, 6)), -EACCES, "these VLANs");
	ask(fd, "{\"request\":\"show\",\"what\":\"endpoints\"}");
	ck_assert_uint_eq(rep.page.n, 2); /* the one of before is still there */
	ck_assert_uint_eq(rep.page.endpoints[0].l2.vlans[0].id, 5);
	/* but what is new on it is judged anew */
	expect(open_item("{\"udp\":\"10.0.0.1:1\",\"on\":0}"), -EACCES, "these VLANs");
}
END_TEST

static const struct {
	const char *rules, *says;
} wrong[] = {
    {"\"vlans\": [\"20\"]", ": line 3: not JSON"},
    {"\"vlans\":\n[\"4097\"] }", ": line 2: rule 1: vlans: \"4097\" is not like"},
    {"\"vlans\": [\"20\"] },\n{ \"users\": [\"nobody-such\"] }",
     ": line 3: rule 2: users: \"nobody-such\" is not"},
};

START_TEST(test_bad_file)
{
	fd = connect_client();
	attach(fd);
	reload(wrong[_i].rules);
	expect_line("error: the policy stays as it was: /tmp/check_policy-");
	ck_assert_msg(strstr(line, wrong[_i].says), "%s", line);
	expect(open_item(L2(MAC, 20)), -EACCES, "these VLANs");
	expect(open_item(L2(MAC, 5)), 0, "");
}
END_TEST

START_TEST(test_missing_file)
{
	unlink(file);
	kill(served.pid, SIGHUP);
	expect_line("the policy stays as it was: /tmp/check_policy-");
	ck_assert_ptr_nonnull(strstr(line, "No such file"));
	fd = connect_client();
	attach(fd);
	expect(open_item(L2(MAC, 5)), 0, "");
	expect(open_item(L2(MAC, 20)), -EACCES, "these VLANs");
}
END_TEST

/* ---- the log ---- */

/* However many are denied, few lines: but none goes unmentioned. */
START_TEST(test_flood)
{
	enum { N = 1000 };
	unsigned lines = 0, told = 0, more;
	fd = connect_client();
	attach(fd);
	for (unsigned i = 0; i < N; i++)
		expect(open_item(L2(MAC, 20)), -EACCES, "these VLANs");
	while (told < N) {
		ck_assert_msg(next_line(5000), "%u of %u told in %u lines", told, N, lines);
		const char *at = strstr(line, "denied: ");
		lines++;
		if (at && sscanf(at, "denied: %u more suppressed", &more) == 1)
			told += more;
		else
			told++;
	}
	ck_assert_uint_eq(told, N);
	/* a machine under load may take seconds */
	ck_assert_uint_le(lines, 10 * (DENIALS_LINES + 1));
	ask(fd, "{\"request\":\"status\"}");
	ck_assert_uint_eq(rep.status.denied, N);
}
END_TEST

/* Ended for a lie as often as it can be: each is told of, or counted in a line. */
START_TEST(test_flood_of_ends)
{
	enum { N = 200 };
	unsigned lines = 0, told = 0, more;
	struct hostile h;
	for (unsigned i = 0; i < N; i++) {
		ck_assert_int_eq(hostile_open(&h, served.sock), 0);
		h.written = 1;
		hostile_show(&h);
		ck_assert(hostile_is_ended(&h, 5000));
		hostile_close(&h);
	}
	while (told < N) {
		ck_assert_msg(next_line(5000), "%u of %u told in %u lines", told, N, lines);
		const char *at = strstr(line, "ended: ");
		ck_assert_msg(at != NULL, "%s", line);
		lines++;
		told += sscanf(at, "ended: %u more suppressed", &more) == 1 ? more : 1;
	}
	ck_assert_uint_eq(told, N);
	ck_assert_uint_le(lines, 10 * (DENIALS_LINES + 1));
}
END_TEST

#define S UINT64_C(1000000000)

/* With the time given. */
START_TEST(test_lines_per_second)
{
	struct denials d = {0};
	int saved;
	log_end = catch_stderr(&saved);
	uint64_t now = 100 * S;
	for (unsigned i = 0; i < 8; i++)
		denials_add(&d, now + i, 1000, 7, "prog", "no");
	denials_tick(&d, now + S - 1);                              /* nothing yet */
	denials_tick(&d, now + S);                                  /* 3 more */
	denials_tick(&d, now + 3 * S);                              /* nothing */
	denials_add(&d, now + 3 * S + 1, 1000, 7, "prog", "again"); /* at once */
	release_stderr(saved);
	for (unsigned i = 0; i < DENIALS_LINES; i++)
		expect_line("denied to uid 1000, pid 7 (prog): no\n");
	expect_line("denied: 3 more suppressed\n");
	expect_line("denied to uid 1000, pid 7 (prog): again\n");
	ck_assert(!next_line(0));
	ck_assert_uint_eq(d.n, 9);
	close(log_end);
}
END_TEST

/* ---- what if ---- */

static const struct {
	const char *arguments, *rule;
	int code;
	const char *says;
} what_if[] = {
    {"\"gids\":[],\"l2\":\"" MAC "\",\"vlans\":[{\"id\":5}]", "me", 0, ""},
    {"\"gids\":[],\"l2\":\"" MAC "\",\"vlans\":[{\"id\":4}]", "me", -EACCES, "these VLANs"},
    {"\"gids\":[],\"l2\":\"00:00:00:00:00:01\",\"vlans\":[{\"id\":5}]", "me", -EACCES,
     "this MAC address"},
    {"\"gids\":[],\"l2\":\"01:80:c2:00:00:00\"", "", -EINVAL, "multicast"},
    {"\"gids\":[77],\"l2\":\"" MAC "\",\"default\":true,\"vlans\":[{\"id\":5}]", "me",
     -EACCES, "capture_group"},
    {"\"gids\":[77],\"l2\":\"" MAC "\"", "#2", -EACCES, "EtherType 0x0800"},
    {"\"gids\":[77],\"l2\":\"" MAC "\",\"ethertypes\":[2054]", "#2", 0, ""},
    {"\"gids\":[77],\"l2\":\"" MAC "\",\"ethertypes\":[2054],\"udp\":\"10.0.0.1:9\"", "#2",
     -EACCES, "this port"},
    {"\"gids\":[78],\"l2\":\"" MAC "\"", "", -EACCES, "no rule of the policy is for uid"},
};

START_TEST(test_what_if)
{
	char message[400];
	/* rows about rule "me" ask for its user */
	bool me = _i < 5;
	reload("\"vlans\": [\"5\"], \"capture\": false },\n"
	       "{ \"groups\": [\"77\"], \"ethertypes\": [\"arp\"], \"ports\": [\"8\"],"
	       "  \"limits\": { \"burst\": 7, \"frames_per_s\": 6 } }");
	expect_line("policy of 2 rules");
	if (_i == 4) {
		reload("\"vlans\": [\"5\"] }");
		expect_line("policy of 1 rules");
	}
	fd = connect_client();
	snprintf(message, sizeof(message), "{\"request\":\"policy_test\",\"uid\":%u,%s}",
		 me ? getuid() : 4711, what_if[_i].arguments);
	ask(fd, message);
	ck_assert_msg(rep.type == ECP_REP_POLICY, "%s", rep.error.text);
	if (_i == 4 && getuid() == 0) /* root may capture */
		expect(&rep.policy.denied, 0, "");
	else
		expect(&rep.policy.denied, what_if[_i].code, what_if[_i].says);
	ck_assert_str_eq(rep.policy.rule, what_if[_i].rule);
	ck_assert_uint_eq(rep.policy.limits.burst, strcmp(rep.policy.rule, "#2") ? 0 : 7);
	ask(fd, "{\"request\":\"status\"}");
	ck_assert_uint_eq(rep.status.denied, 0); /* a question is no denial */
}
END_TEST

/* The program itself: it does not start under half a policy. */
START_TEST(test_bad_file_at_start)
{
	const char *build = getenv("BUILD");
	char command[300], conf[sizeof(file) + 5];
	write_policy("\"ports\": [\"99999\"] }");
	snprintf(conf, sizeof(conf), "%s.conf", file);
	FILE *f = fopen(conf, "we");
	fprintf(f, "{ \"policy\": \"%s\", \"socket\": \"%s.sock\",", file, file);
	fprintf(f, "\"relays\": [{\"interface\": \"x\", \"backend\": \"pcapfile\"}] }");
	fclose(f);
	snprintf(command, sizeof(command), "%s/etherconnd -c %s 2>&1",
		 build ? build : "build", conf);
	f = popen(command, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	int status = pclose(f);
	unlink(conf);
	ck_assert_msg(strstr(line, ": line 2: rule 1: ports: \"99999\" is not"), "%s",
		      line);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %x", status);
}
END_TEST

/* Another user, with groups: what the kernel says of it decides; and it is no operator. */
START_TEST(test_groups_of_the_kernel)
{
	static const gid_t groups[] = {4001, 4002, 4003};
	int status;
	if (geteuid() != 0) {
		printf("SKIP: test_groups_of_the_kernel: needs root to be somebody else\n");
		return;
	}
	reload("\"deny\": true }, { \"groups\": [\"4003\"], \"vlans\": [\"7\"] }");
	expect_line("policy of 2 rules");
	chmod(served.dir, 0755);
	chmod(served.sock, 0666);
	pid_t pid = fork();
	if (pid == 0) {
		if (setgroups(3, groups) < 0 || setgid(4000) < 0 || setuid(4000) < 0)
			_exit(2);
		fd = connect_client();
		attach(fd);
		expect(open_item(L2(MAC, 7)), 0, "");
		expect(open_item(L2(MAC, 8)), -EACCES, "\"#2\"");
		ask(fd, "{\"request\":\"policy_test\",\"uid\":0,\"l2\":\"" MAC "\"}");
		expect_error(-EPERM, "for root");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	pid = fork();
	if (pid == 0) {
		if (setgroups(2, groups) < 0 || setgid(4000) < 0 || setuid(4000) < 0)
			_exit(2);
		fd = connect_client();
		ask(fd, "{\"request\":\"attach\",\"version\":1}");
		expect_error(-EACCES, "no rule of the policy is for uid 4000 on mem0");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}
END_TEST

/* As it is in force: pages of three, defaults filled in, for operators alone. */
START_TEST(test_show)
{
	struct ecp_policy_limits limits = {.endpoints = 9, .frames_per_s = 6, .burst = 6};
	reload("\"vlans\": [\"5-9\"] }, { \"deny\": true }, { }, { \"name\": \"last\","
	       " \"groups\": [\"77\"], \"ports\": [\"8\"],"
	       " \"limits\": { \"endpoints\": 9, \"frames_per_s\": 6 } }");
	expect_line("policy of 4 rules");
	fd = connect_client();
	ask(fd, "{\"request\":\"show\",\"what\":\"policy\"}");
	ck_assert_int_eq(rep.type, ECP_REP_PAGE);
	ck_assert_uint_eq(rep.page.n, ECP_PAGE_RULES);
	ck_assert_str_eq(rep.page.rules[0].name, "me");
	ck_assert_str_eq(rep.page.rules[0].multicast, "own");
	ck_assert_msg(strstr(text, "\"macs\":[\"local\"],\"vlans\":[\"5-9\"],"), "%s",
		      text);
	ck_assert(rep.page.rules[1].deny && !rep.page.rules[2].deny);
	ck_assert(rep.page.more);
	ask(fd, "{\"request\":\"show\",\"what\":\"policy\",\"after\":3}");
	ck_assert_uint_eq(rep.page.n, 1);
	ck_assert(!rep.page.more && !rep.page.rules[0].raw);
	ck_assert_str_eq(rep.page.rules[0].name, "last");
	ck_assert_mem_eq(&rep.page.rules[0].limits, &limits, sizeof(limits));
	ask(fd, "{\"request\":\"show\",\"what\":\"policy\",\"after\":4}");
	ck_assert(rep.page.n == 0 && !rep.page.more);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_daemon");
	TCase *tc = tcase_create("policy_daemon");
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_claim);
	tcase_add_test(tc, test_set_local);
	tcase_add_test(tc, test_attach);
	tcase_add_test(tc, test_limit_of_rings);
	tcase_add_test(tc, test_limit_of_endpoints);
	tcase_add_test(tc, test_limit_of_clients);
	tcase_add_test(tc, test_limit_of_requests);
	tcase_add_test(tc, test_good_file);
	tcase_add_loop_test(tc, test_bad_file, 0, sizeof(wrong) / sizeof(*wrong));
	tcase_add_test(tc, test_missing_file);
	tcase_add_test(tc, test_flood);
	tcase_add_test(tc, test_flood_of_ends);
	tcase_add_loop_test(tc, test_what_if, 0, sizeof(what_if) / sizeof(*what_if));
	tcase_add_test(tc, test_show);
	tcase_add_test(tc, test_bad_file_at_start);
	tcase_add_test(tc, test_groups_of_the_kernel);
	suite_add_tcase(s, tc);
	TCase *alone = tcase_create("without a daemon");
	tcase_add_test(alone, test_lines_per_second);
	suite_add_tcase(s, alone);
	return suite_run(s);
}
