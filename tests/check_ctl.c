/*
 * check_ctl.c - etherconnctl as its users call it, against a daemon of cardboard.
 */
#include "proto/msg.h"
#include "tests/cardboard.h"
#include "tests/suite.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* ---- without a daemon ---- */

static const struct {
	const char *name, *arguments;
	int code;
	const char *sentence;
} complaints[] = {
    {"no daemon", "status", 1, "is etherconnd running?"},
    {"no daemon at -s", "-s /nowhere/x status", 1, "no daemon answers at /nowhere/x:"},
    {"path too long", "-s $(printf %0200d 1) status", 1, "File name too long"},
    {"no command", "", 2, "usage:"},
    {"unknown command", "frobnicate", 2, "no command \"frobnicate\""},
    {"empty command", "''", 2, "may be"},
    {"ambiguous command", "stat", 2, "\"stat\" may be status or stats"},
    {"unknown option", "-x status", 2, "invalid option"},
    {"option without value", "-s", 2, "requires an argument"},
};

START_TEST(test_complaint)
{
	int code = run(complaints[_i].arguments, STDERR);
	ck_assert_msg(code == complaints[_i].code, "%s: exit %d", complaints[_i].name,
		      code);
	ck_assert_msg(strstr(output, complaints[_i].sentence), "%s: said: %.800s",
		      complaints[_i].name, output);
	run(complaints[_i].arguments, "2>/dev/null");
	ck_assert_msg(!*output, "%s: talks on stdout: %s", complaints[_i].name, output);
}
END_TEST

START_TEST(test_help_needs_no_daemon)
{
	ck_assert_int_eq(run("--help", STDOUT), 0);
	ck_assert_ptr_nonnull(strstr(output, "relays|clients|endpoints"));
	ck_assert_int_eq(run("-V", STDOUT), 0);
	ck_assert_int_eq(strncmp(output, "etherconnctl ", 13), 0);
}
END_TEST

/* ---- with one ---- */

static const struct {
	const char *name, *arguments;
	int code;
	const char *redirect, *text;
} answers[] = {
    {"status", "status", 0, STDOUT, "etherconnd 9.9 at "},
    {"status as JSON", "-j status", 0, STDOUT, "\"uptime_s\":77"},
    {"indented JSON", "-jp status", 0, STDOUT, "\n  \"uptime_s\": 77,\n"},
    {"beginnings of words", "sh rel", 0, STDOUT, "af_packet"},
    {"a short name", "sh ep", 0, STDOUT, "02:00:00:00:00:00|100"},
    {"a down interface", "show relays", 0, STDOUT, " down "},
    {"drops are summed", "show relays", 0, STDOUT, "  5         7   0         0\n"},
    {"fill of a ring", "show clients", 0, STDOUT, "  25%  "},
    {"l2 endpoint", "show ep", 0, STDOUT,
     "l2    02:00:00:00:00:00|100  -            0x0806,llc  multicast,share"},
    {"udp endpoint", "show ep", 0, STDOUT,
     "udp   02:00:00:00:00:00|100  10.0.0.1:68  -           accept-any"},
    {"what a counter means", "stats", 0, STDOUT, "7  dropped: unicast frames that no"},
    {"counters are exact", "stats", 0, STDOUT, " 9007199254740991 "},
    {"... in JSON too", "-j stats", 0, STDOUT, "\"tx_bytes\":9007199254740991"},
    {"zero counters on demand", "stats -a", 0, STDOUT, "  rx_runt "},
    {"show what?", "show", 2, STDERR, "show what?"},
    {"show nothing", "show ''", 2, STDERR, "show what?"},
    {"unknown list", "show people", 2, STDERR, "\"people\" is none of relays"},
    {"half a filter", "show ep mac", 2, STDERR, "mac of what?"},
    {"a filter twice", "show ep uid 1 uid 2", 2, STDERR, "uid is given twice"},
    {"no such filter", "show ep colour red", 2, STDERR, "\"colour\" is none of mac,"},
    {"ambiguous filter", "show ep p 1", 2, STDERR, "\"p\" may be port or pid"},
    {"relays have no owner", "show relays pid 1", 2, STDERR, "by their interface only"},
    {"drops of a relay", "show drops", 0, STDOUT,
     "rx_miss             7  unicast frames that no endpoint"},
    {"drops of a client", "show drops", 0, STDOUT, "client    2 dhcp_client[100000]"},
    {"drops of an endpoint", "show drops", 0, STDOUT,
     "endpoint  2/69 02:00:00:00:00:09|100|200 10.0.0.5:1000"},
    {"drops as JSON", "-j show drops client 2", 0, STDOUT,
     "\n{\"kind\":\"client\",\"interface\":\"eth1\",\"client\":2,\"counter\":\"rx_buffer_"
     "full\","
     "\"count\":3,"},
    {"brief", "-br show relays", 0, STDOUT, "eth1  down  00:00:00:00:00:00  1500\n"},
    {"names are disarmed", "show clients", 0, STDOUT, " x\"\\{y?[2J "},
    {"a command's own help", "show --help", 0, STDOUT, "usage: etherconnctl show "},
    {"a count without interval", "stats 3", 2, STDERR, "stats -i SECONDS [COUNT]"},
    {"no count", "stats -i 1 x", 2, STDERR, "\"x\" is no count"},
    {"no interval", "stats -i eth1", 2, STDERR, "--interval: \"eth1\" will not do"},
    {"interval of nothing", "stats -i 0", 2, STDERR, "will not do"},
    {"no log level", "log loud", 2, STDERR, "\"loud\" is none of error, warning"},
    {"no list", "show nonsense", 2, STDERR, "drops or neigh"},
    {"neighbours of a client", "show neigh pid 7", 2, STDERR, "are no client's"},
    {"watch what?", "watch", 2, STDERR, "watch what?"},
    {"watch a watch", "watch watch status", 2, STDERR, "watch cannot be watched"},
    {"watch nothing known", "watch nonsense", 2, STDERR, "no command \"nonsense\""},
    {"doctor finds version skew", "doctor", 1, STDOUT,
     "the daemon is version 9.9, etherconnctl "},
    {"doctor as JSON", "-j doctor", 1, STDOUT,
     "{\"level\":\"fault\",\"check\":\"version\",\"text\":"},
    {"doctor knows no words", "doctor who", 2, STDERR, "takes no argument"},
    {"too many words", "status now", 2, STDERR, "takes no argument"},
    {"what was denied", "status", 0, STDOUT, "  denied     31\n"},
    {"policy: allowed", "policy test root 02:00:00:00:00:01", 0, STDOUT,
     "allowed by rule \"lab\"\n  sends UDP only\n  clients         4\n  frames_per_s    "
     "1000\n"},
    {"policy: denied", "policy test nobody '02:00:00:00:00:01|5' 10.0.0.1:68", 1, STDOUT,
     "denied: 65534 1 65534 02:00:00:00:00:01|5 10.0.0.1:68"},
    {"policy: by group", "-i x policy test 71234:nogroup 02:00:00:00:00:01", 1, STDOUT,
     "denied: 71234 1 65534 02:00:00:00:00:01 none x\n"},
    {"policy: by numbers", "pol te 71234:7 02:00:00:00:00:01", 1, STDOUT,
     "denied: 71234 1 7 "},
    {"policy: no account", "policy test 71234 02:00:00:00:00:01", 1, STDOUT,
     "denied: 71234 0 0 "},
    {"policy as JSON", "-j policy test nobody 02:00:00:00:00:01", 1, STDOUT,
     "{\"reply\":\"policy\",\"allowed\":false,\"code\":\"EACCES\","},
    {"show policy", "show policy", 0, STDOUT,
     "rule \"rule? 1\"\n  users           root 71234\n  vlans           100-199\n"
     "  multicast       own\n  sends           UDP only\n  endpoints       20000\n"},
    {"a rule that denies", "sho pol", 0, STDOUT, "rule \"rule? 3\": allows nothing\n"},
    {"policy in brief", "show -br policy", 0, STDOUT, "rule? 2\nrule? 3: allows nothing\n"},
    {"policy as a file", "-j show policy", 0, STDOUT,
     "{\"rules\":[\n{\"name\":\"rule\\u001b 0\",\"users\":[\"0\",\"71234\"],"},
    {"policy has no keys", "show policy uid 0", 2, STDERR, "the policy has no keys"},
    {"policy what?", "policy", 2, STDERR, "policy test USER"},
    {"policy which?", "policy show root 02:00:00:00:00:01", 2, STDERR, "policy test USER"},
    {"policy: no user", "policy test nobody-such 02:00:00:00:00:01", 2, STDERR,
     "no user \"nobody-such\""},
    {"policy: empty user", "policy test :nogroup 02:00:00:00:00:01", 2, STDERR,
     "no user \"\""},
    {"policy: no group", "policy test root:no-such 02:00:00:00:00:01", 2, STDERR,
     "no group \"no-such\""},
    {"policy: no MAC", "policy test root 02:00", 2, STDERR, "\"02:00\" is no address"},
    {"policy: no UDP", "policy test root 02:00:00:00:00:01 10.0.0.1", 2, STDERR,
     "\"10.0.0.1\" is no address"},
    {"capture: the compiler's words", "capture -w - 'vlan vlan'", 2, STDERR,
     "\"vlan vlan\": "},
    {"capture: keys, then one word", "capture vlan 100 and udp", 2, STDERR,
     "\"and\" is no key; an expression is one word"},
    {"capture: not a key's value", "capture mac 02:00", 2, STDERR, "\"02:00\" is no mac"},
    {"capture: no snaplen", "capture -s 0", 2, STDERR, "--snaplen: \"0\" will not do"},
    {"capture: no buffer", "capture -B 65537", 2, STDERR,
     "--buffer: \"65537\" will not do"},
    {"capture is not watched", "watch capture", 2, STDERR, "capture cannot be watched"},
    {"monitor what?", "monitor eth1", 2, STDERR, "monitor takes no argument"},
    {"udp from where?", "udp", 2, STDERR, "from which endpoint?"},
    {"udp to whom?", "udp mac 02:00:00:00:00:01 ip 10.0.0.1", 2, STDERR, "to whom?"},
    {"udp from whom?", "udp mac 02:00:00:00:00:01 10.0.0.2 7", 2, STDERR,
     "from which address?"},
    {"udp: no MAC", "udp mac 02:00", 2, STDERR, "\"02:00\" is no mac"},
    {"udp: tags twice", "udp vlan 5 mac '02:00:00:00:00:01|6'", 2, STDERR, "is no mac"},
    {"udp: tags twice again", "udp mac '02:00:00:00:00:01|6' vlan 5", 2, STDERR,
     "vlan is given twice"},
    {"udp: half a key", "udp mac", 2, STDERR, "mac of what?"},
    {"udp: no bits", "udp mac 02:00:00:00:00:01 ip 10.0.0.1/33", 2, STDERR,
     "\"10.0.0.1/33\" is no ip"},
    {"udp: no gateway", "udp mac 02:00:00:00:00:01 gateway x", 2, STDERR,
     "\"x\" is no gateway"},
    {"udp: no port", "udp mac 02:00:00:00:00:01 ip 10.0.0.1 10.0.0.2 0", 2, STDERR,
     "\"0\" is no port"},
    {"udp: no address", "udp mac 02:00:00:00:00:01 ip 10.0.0.1 host 7", 2, STDERR,
     "\"host\" is no IP address"},
    {"udp -l where?", "udp -l mac 02:00:00:00:00:01", 2, STDERR, "at which port?"},
    {"udp -l to whom?", "udp -l mac 02:00:00:00:00:01 port 5 10.0.0.2 7", 2, STDERR,
     "-l waits for anybody"},
    {"udp: of two families", "udp mac 02:00:00:00:00:01 ip 10.0.0.1 ::1 7", 2, STDERR,
     "one address is IPv4, the other IPv6"},
    {"udp: how long?", "udp -w soon", 2, STDERR, "--wait: \"soon\" will not do"},
    {"arping from where?", "arping 10.0.0.1", 2, STDERR, "from which endpoint?"},
    {"arping whom?", "arping mac 02:00:00:00:00:01", 2, STDERR, "who has which address?"},
    {"arping: no address", "arping mac 02:00:00:00:00:01 x", 2, STDERR, "\"x\" is no IP"},
    {"arping: of two families", "arping mac 02:00:00:00:00:01 ip 10.0.0.1 ::1", 2, STDERR,
     "one address is IPv4, the other IPv6"},
    {"arping is not watched", "watch arping", 2, STDERR, "cannot be watched"},
    {"completion of what?", "completion", 2, STDERR, "completion bash|zsh"},
    {"completion of another shell", "completion fish", 2, STDERR, "none of bash or zsh"},
    {"stdout is full", "show endpoints", 1, "2>&1 >/dev/full", "No space left"},
};

START_TEST(test_answer)
{
	int code = run(answers[_i].arguments, answers[_i].redirect);
	ck_assert_msg(code == answers[_i].code, "%s: exit %d", answers[_i].name, code);
	ck_assert_msg(strstr(output, answers[_i].text), "%s: said: %.800s",
		      answers[_i].name, output);
	ck_assert_msg(!strchr(output, '\033'), "%s: colour in a pipe", answers[_i].name);
}
END_TEST

START_TEST(test_zero_counters_are_left_out)
{
	ck_assert_int_eq(run("stats", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1 + 4);
	ck_assert_int_eq(run("-a stats", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1 + ECP_N_RELAY_COUNTERS);
}
END_TEST

/* Names and numbers of any length leave the column behind them where it is. */
START_TEST(test_columns_fit)
{
	ck_assert_int_eq(run("show clients", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1 + N_CLIENTS);
	const char *line = output;
	const char *title = strstr(line, "INTERFACE");
	ck_assert_ptr_nonnull(title);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		const char *next = strchr(line, '\n') + 1;
		const char *cell = strstr(next, "eth1");
		ck_assert_int_eq(cell - next, title - output);
		line = next;
	}
}
END_TEST

START_TEST(test_text_of_many_pages)
{
	ck_assert_int_eq(run("show endpoints", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1 + N_ENDPOINTS);
	ck_assert_ptr_nonnull(strstr(output, "CLIENT"));
	ck_assert_ptr_null(strstr(strstr(output, "CLIENT") + 1, "CLIENT"));
}
END_TEST

/* One document, whatever its pages; the ids of its objects count from first. */
static void check_list(const char *key, unsigned n, unsigned first)
{
	struct ecp_error err = {0};
	struct ecp_json *root = ecp_json_parse(output, strlen(output), false, &err);
	ck_assert_msg(root, "%s: %s", key, err.text);
	size_t found;
	const struct ecp_json *item = ecp_json_array(root, key, 1000, &found, &err);
	ck_assert_uint_eq(found, n);
	for (unsigned i = 0; i < n; i++, item = ecp_json_next(item))
		ck_assert_uint_eq(ecp_json_u64(item, "id", 0, 1000, 999, &err), first + i);
	ck_assert_msg(!err.code, "%s: %s", key, err.text);
	ecp_json_free(root);
}

START_TEST(test_json_of_many_pages)
{
	ck_assert_int_eq(run("-j show endpoints", STDOUT), 0);
	check_list("endpoints", N_ENDPOINTS, 0);
	ck_assert_int_eq(run("-jp show endpoints", STDOUT), 0);
	check_list("endpoints", N_ENDPOINTS, 0);
}
END_TEST

/* A program may call itself what it likes. */
START_TEST(test_json_of_odd_names)
{
	ck_assert_int_eq(run("-jp show clients", STDOUT), 0);
	check_list("clients", N_CLIENTS, 1);
	ck_assert_ptr_nonnull(strstr(output, "\"comm\": \"x\\\"\\\\{y\\u001b[2J\",\n"));
}
END_TEST

/* ---- filters ---- */

static const struct {
	const char *arguments;
	unsigned n; /* lines beneath the titles */
} filters[] = {
    {"endpoints mac 02:00:00:00:00:09", 1},
    {"endpoints mac 02:00:00:00:00:08", 0},
    {"endpoints vlan 100.200", 1},
    {"endpoints vlan 100", N_ENDPOINTS},
    {"endpoints vlan 200", 0},
    {"endpoints vlan none", 0},
    {"endpoints ip 10.0.0.1", N_ENDPOINTS / 2 - 1},
    {"endpoints ip 10.0.0.5 port 1000", 1},
    {"endpoints ip ::1", 0},
    {"endpoints port 68", N_ENDPOINTS / 2 - 1},
    {"endpoints port 0", 0},
    {"endpoints client 2", 1},
    {"endpoints uid 1000", 1},
    {"endpoints pid 7", N_ENDPOINTS - 1},
    {"endpoints comm 'dhcp*' mac 02:00:00:00:00:09", 1},
    {"endpoints comm a mac 02:00:00:00:00:09", 0},
    {"endpoints comm nobody", 0},
    {"endpoints interface eth1", N_ENDPOINTS},
    {"endpoints interface eth2", 0},
    {"clients mac 02:00:00:00:00:09", 1},
    {"clients vlan 100", 2},
    {"clients vlan 300", 0},
    {"clients uid 2000", 1},
    {"clients comm a", 1},
    {"clients port 1000 uid 0", 0},
    {"clients client 3", 1},
    {"relays interface eth1", 1},
    {"relays interface lo", 0},
    {"drops", 3},
    {"drops client 2", 2},
    {"drops mac 02:00:00:00:00:09", 2},
    {"drops client 1", 0},
    {"drops vlan 100.200", 2},
    {"drops ip 10.0.0.5", 2},
    {"drops port 1000", 2},
    {"drops port 68", 0},
    {"drops uid 1000", 2},
    {"drops pid 100000", 2},
    {"drops comm 'dhcp*'", 2},
    {"drops interface eth1", 3},
    {"drops interface lo", 0},
    {"clients pid 7", 1},
    {"clients ip 10.0.0.5", 1},
    {"clients port 68", 1},
    {"clients comm 'd?cp*' uid 1000 vlan 100.200", 1},
    {"clients interface lo", 0},
};

START_TEST(test_filter)
{
	char arguments[128];
	snprintf(arguments, sizeof(arguments), "show %s", filters[_i].arguments);
	ck_assert_int_eq(run(arguments, STDOUT), 0);
	ck_assert_msg(count_lines(output) == 1 + filters[_i].n, "%s: %s", arguments,
		      output);
	snprintf(arguments, sizeof(arguments), "show -br %s", filters[_i].arguments);
	ck_assert_int_eq(run(arguments, STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), filters[_i].n);
	/* a document of the same length */
	snprintf(arguments, sizeof(arguments), "-j show %s", filters[_i].arguments);
	ck_assert_int_eq(run(arguments, STDOUT), 0);
	struct ecp_error err = {0};
	struct ecp_json *root = ecp_json_parse(output, strlen(output), false, &err);
	ck_assert_msg(root, "%s: %s", arguments, err.text);
	ecp_json_free(root);
	ck_assert_uint_eq(count_lines(output), 1 + filters[_i].n);
}
END_TEST

/* What filters are given must be what it says. */
START_TEST(test_wrong_values)
{
	static const char *const wrong[] = {
	    "mac 02:00",  "vlan 4096", "vlan ''", "vlan 1.2.3", "ip 10.0.0",         "ip x",
	    "port 65536", "port 1x",   "uid ''",  "pid root",   "client 4294967296",
	};
	char arguments[128];
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(arguments, sizeof(arguments), "show ep %s", wrong[i]);
		ck_assert_msg(run(arguments, STDERR) == 2, "%s", arguments);
		ck_assert_msg(strstr(output, "\" is no "), "%s: %s", arguments, output);
	}
}
END_TEST

/* ---- size ---- */

/* A list of any length takes the memory of a page. */
static void check_memory(const char *arguments, unsigned lines)
{
	struct rusage usage;
	char number[16];
	cardboard.n_endpoints = 50000;
	ck_assert_int_eq(run(arguments, "| wc -l"), 0);
	snprintf(number, sizeof(number), "%u\n", lines);
	ck_assert_str_eq(output, number);
	getrusage(RUSAGE_CHILDREN, &usage);
	ck_assert_msg(SANITIZED || usage.ru_maxrss < 10000, "%s: %ld kB", arguments,
		      usage.ru_maxrss);
}

START_TEST(test_memory_of_many_endpoints)
{
	check_memory("show endpoints", 1 + 50000);
}
END_TEST

START_TEST(test_memory_of_a_join)
{
	check_memory("-j show endpoints pid 7", 50000);
}
END_TEST

/* ---- rates ---- */

/* Traffic grows by a fixed number from round to round, some 20 ms apart. */
START_TEST(test_rates)
{
	unsigned long long relay, first, second, kbit;
	cardboard.traffic_step = 1000;
	ck_assert_int_eq(run("stats -i 0.02 3", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 3 * (1 + 1 + N_CLIENTS));
	const char *line = strstr(output, "\neth1 ");
	ck_assert_msg(line && sscanf(line, " eth1 %llu", &relay) == 1, "%s", output);
	ck_assert_uint_gt(relay, 0);
	line = strstr(output, "\n1 a[7] ");
	ck_assert_msg(line && sscanf(line, " 1 a[7] %llu", &first) == 1, "%s", output);
	ck_assert_uint_eq(first, 0);
	line = strstr(output, "\n2 dhcp_client[100000] ");
	ck_assert_msg(line && sscanf(line, " 2 %*s %llu %llu", &second, &kbit) == 2, "%s",
		      output);
	ck_assert_uint_eq(second, relay);
	ck_assert_msg(kbit >= 8 * second - 8 && kbit <= 8 * second + 8, "%s", output);
}
END_TEST

START_TEST(test_rates_as_json)
{
	struct ecp_error err = {0};
	cardboard.traffic_step = 1000;
	ck_assert_int_eq(run("-j stats -i 0.02 1", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1);
	struct ecp_json *root = ecp_json_parse(output, strlen(output), false, &err);
	ck_assert_msg(root, "%s", err.text);
	size_t n;
	uint64_t ms = ecp_json_u64(root, "interval_ms", 1, 100000, 0, &err);
	const struct ecp_json *relay = ecp_json_array(root, "relays", 1, &n, &err);
	uint64_t rx = ecp_json_u64(relay, "rx", 0, UINT32_MAX, 0, &err);
	ck_assert_msg(!err.code, "%s", err.text);
	/* milliseconds are cut off, so it may have been almost one more */
	ck_assert_uint_le(rx * ms, 1000 * 1001);
	ck_assert_uint_ge(rx * (ms + 1), 1000 * 999);
	const struct ecp_json *client =
	    ecp_json_array(root, "clients", N_CLIENTS, &n, &err);
	ck_assert_uint_eq(n, N_CLIENTS);
	client = ecp_json_next(ecp_json_next(client));
	uint64_t twice = ecp_json_u64(client, "rx", 0, UINT32_MAX, 0, &err);
	ck_assert_msg(twice >= 2 * rx - 1 && twice <= 2 * rx + 1, "%s", output);
	ecp_json_free(root);
}
END_TEST

/* Commands again and again, each as if typed. */
START_TEST(test_watch)
{
	ck_assert_int_eq(run("watch -i 0.01 -c 3 show -br relays", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 3);
	ck_assert_ptr_null(strchr(output, '\033'));
	ck_assert_int_eq(run("-j watch -i 0.01 -c 2 stats -i 0.01 2", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 4);
	/* a daemon that is away is waited for; the last round counts */
	ck_assert_int_eq(run("watch -i 0.01 -c 2 -s /nowhere status", STDERR), 1);
	ck_assert_uint_eq(count_lines(output), 2);
}
END_TEST

START_TEST(test_half_a_list_is_a_failure)
{
	cardboard.hangs_up = true;
	ck_assert_int_eq(run("-j show endpoints", STDERR), 1);
	ck_assert_ptr_nonnull(strstr(output, "closed the connection"));
}
END_TEST

/* A daemon that ends before the first answer has another behind it; but only who looks asks twice. */
START_TEST(test_a_restart_is_not_noticed)
{
	cardboard.ends = 1;
	ck_assert_int_eq(run("status", STDOUT), 0);
	cardboard.ends = 1;
	ck_assert_int_eq(run("show clients", STDOUT), 0);
	cardboard.ends = 2;
	ck_assert_int_eq(run("status", STDERR), 1);
	ck_assert_ptr_nonnull(strstr(output, "closed the connection"));
	cardboard.ends = 1;
	ck_assert_int_eq(run("kill 1", STDERR), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl");
	TCase *alone = tcase_create("without a daemon");
	tcase_add_checked_fixture(alone, cardboard_folder_make, cardboard_folder_remove);
	tcase_add_loop_test(alone, test_complaint, 0,
			    sizeof(complaints) / sizeof(*complaints));
	tcase_add_test(alone, test_help_needs_no_daemon);
	suite_add_tcase(s, alone);

	TCase *served = tcase_create("with a daemon");
	tcase_add_checked_fixture(served, cardboard_start, cardboard_stop);
	tcase_add_loop_test(served, test_answer, 0, sizeof(answers) / sizeof(*answers));
	tcase_add_test(served, test_zero_counters_are_left_out);
	tcase_add_test(served, test_columns_fit);
	tcase_add_test(served, test_text_of_many_pages);
	tcase_add_test(served, test_json_of_many_pages);
	tcase_add_test(served, test_json_of_odd_names);
	tcase_add_loop_test(served, test_filter, 0, sizeof(filters) / sizeof(*filters));
	tcase_add_test(served, test_wrong_values);
	tcase_add_test(served, test_memory_of_many_endpoints);
	tcase_add_test(served, test_memory_of_a_join);
	tcase_add_test(served, test_rates);
	tcase_add_test(served, test_rates_as_json);
	tcase_add_test(served, test_watch);
	tcase_add_test(served, test_half_a_list_is_a_failure);
	tcase_add_test(served, test_a_restart_is_not_noticed);
	tcase_set_timeout(served, 30);
	suite_add_tcase(s, served);
	return suite_run(s);
}
