/*
 * check_ctl_top.c - `etherconnctl top` on a pseudo-terminal, and what a person would see there.
 *
 *   keys --> pty --> etherconnctl top --> pty --> a terminal of paper: screen[][]
 *
 * The terminal can clear itself, move its cursor and keep what stood there before; a terminfo
 * entry says so.
 */
#include "proto/msg.h"
#include "tests/cardboard.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#define ROWS       24
#define COLUMNS    110
#define TIMEOUT_MS 20000

static char screen[ROWS][COLUMNS + 1];
static unsigned row, column;
static char sequence[32];     /* an escape sequence that has begun */
static bool taken;            /* the screen is the program's, not the shell's */
static int pty, shell, ended; /* our end, the other, a descriptor of the process */
static pid_t pid;
static char terminfo[64];
static const char *term = "paper";

/* ---- the terminal ---- */

static void make_terminfo(void)
{
	char command[256], source[96];
	snprintf(terminfo, sizeof(terminfo), "/tmp/check_ctl_top-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(terminfo));
	snprintf(source, sizeof(source), "%s/source", terminfo);
	FILE *file = fopen(source, "w");
	ck_assert_ptr_nonnull(file);
	fputs("paper|of paper,\n\tcols#80, lines#24,\n"
	      "\tclear=\\E[H\\E[J, cup=\\E[%i%p1%d;%p2%dH,\n"
	      "\tsmcup=\\E[1h, rmcup=\\E[1l,\n",
	      file);
	fclose(file);
	snprintf(command, sizeof(command), "tic -x -o %s %s 2>&1", terminfo, source);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void remove_terminfo(void)
{
	char command[96];
	snprintf(command, sizeof(command), "rm -r %s", terminfo);
	ck_assert_int_eq(system(command), 0);
}

static void clear_screen(void)
{
	for (unsigned r = 0; r < ROWS; r++) {
		memset(screen[r], ' ', COLUMNS);
		screen[r][COLUMNS] = 0;
	}
}

static void put_sequence(char c)
{
	size_t len = strlen(sequence);
	unsigned to_row = 1, to_column = 1;
	ck_assert_uint_lt(len, sizeof(sequence) - 1);
	sequence[len] = c;
	sequence[len + 1] = 0;
	if (c < '@' || c == '[')
		return; /* more comes */
	if (c == 'H') {
		sscanf(sequence, "\033[%u;%uH", &to_row, &to_column);
		row = to_row - 1;
		column = to_column - 1;
	} else if (c == 'h' || c == 'l') {
		taken = c == 'h';
	} else {
		ck_assert_msg(!strcmp(sequence, "\033[J"), "unknown: %s", sequence + 1);
		clear_screen();
	}
	*sequence = 0;
}

static void put_char(char c)
{
	if (*sequence || c == '\033')
		put_sequence(c);
	else if (c == '\r')
		column = 0;
	else if (c == '\n')
		row++;
	else if (c == '\b')
		column--;
	else if (c != '\a' && row < ROWS && column < COLUMNS)
		screen[row][column++] = c;
}

/* ---- the program ---- */

static void exec_top(const char *argument, const char *value)
{
	const char *build = getenv("BUILD");
	char path[256];
	snprintf(path, sizeof(path), "%s/etherconnctl", build ? build : "build");
	setenv("TERM", term, 1);
	setenv("TERMINFO", terminfo, 1);
	setenv("ETHERCONN_SOCKET", cardboard.path, 1);
	execl(path, path, "top", argument, value, NULL);
	_exit(127);
}

/* The terminal stays while we hold an end of it, as a shell would. */
static void start_top(const char *argument, const char *value)
{
	struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};
	clear_screen();
	row = column = 0;
	*sequence = 0;
	taken = false;
	ck_assert_int_eq(openpty(&pty, &shell, NULL, NULL, &size), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(pty);
		login_tty(shell);
		exec_top(argument, value);
	}
	ended = (int)syscall(SYS_pidfd_open, pid, 0);
	ck_assert_int_ge(ended, 0);
}

/* Read on; false when the program has ended and all it wrote is read. */
static bool read_on(void)
{
	char text[4096];
	struct pollfd ready[] = {{.fd = pty, .events = POLLIN},
				 {.fd = ended, .events = POLLIN}};
	int n_ready = poll(ready, 2, TIMEOUT_MS);
	ck_assert_msg(n_ready > 0, "nothing more is drawn");
	if (!(ready[0].revents & POLLIN))
		return false;
	ssize_t n = read(pty, text, sizeof(text));
	for (ssize_t i = 0; i < n; i++)
		put_char(text[i]);
	return n > 0;
}

static bool screen_has(const char *text)
{
	for (unsigned r = 0; r < ROWS; r++)
		if (strstr(screen[r], text))
			return true;
	return false;
}

static const char *whole_screen(void)
{
	static char text[ROWS * (COLUMNS + 1) + 1];
	size_t len = 0;
	for (unsigned r = 0; r < ROWS; r++)
		len += (size_t)sprintf(text + len, "%s\n", screen[r]);
	return text;
}

static void wait_for(const char *text)
{
	while (!screen_has(text))
		ck_assert_msg(read_on(), "ended without \"%s\": %.1500s", text,
			      whole_screen());
}

/* The screen comes in pieces: what is expected on one row may be on its way. */
static void wait_on_row(unsigned r, const char *text)
{
	while (!strstr(screen[r], text))
		ck_assert_msg(read_on(), "ended without \"%s\": %.1500s", text,
			      whole_screen());
}

static void type(const char *keys)
{
	ck_assert_int_eq(write(pty, keys, strlen(keys)), (ssize_t)strlen(keys));
}

/* The number of the line that has this text. */
static unsigned line_of(const char *text)
{
	for (unsigned r = 0; r < ROWS; r++)
		if (strstr(screen[r], text))
			return r;
	ck_abort_msg("no \"%s\" in: %.1500s", text, whole_screen());
}

/* The terminal is as it was: its modes are read from our side. */
static void expect_restored(void)
{
	struct termios modes;
	ck_assert(!taken);
	ck_assert_int_eq(tcgetattr(pty, &modes), 0);
	ck_assert_uint_eq(modes.c_lflag & (ICANON | ECHO), ICANON | ECHO);
}

/* Wait for its end; returns what wait4() says of it. */
static int wait_for_end(struct rusage *usage)
{
	int status;
	while (read_on())
		;
	ck_assert_int_eq(wait4(pid, &status, 0, usage), pid);
	expect_restored();
	close(pty);
	close(shell);
	close(ended);
	return status;
}

/* The same; returns its exit code. */
static int end_top(struct rusage *usage)
{
	int status = wait_for_end(usage);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int quit_top(void)
{
	struct rusage usage;
	type("q");
	return end_top(&usage);
}

/* ---- tests ---- */

START_TEST(test_clients_come_first)
{
	cardboard.traffic_step = 1000;
	start_top("-i", "0.1");
	wait_for("3 clients");
	ck_assert_uint_eq(line_of("etherconnd 9.9  up 77 s  relays 1"), 0);
	wait_for("every 0.1 s  by RX/s");
	ck_assert_uint_eq(line_of("eth1            down  rx/s "), 1);
	unsigned title =
	    line_of("CLIENT      PID COMMAND         ENDPOINTS RING%     RX/s");
	wait_on_row(ROWS - 1, "h: keys");
	/* client 3 gets twice what client 2 gets */
	wait_on_row(title + 1, "x\"\\{y");
	wait_on_row(title + 2, "dhcp_client");
	wait_on_row(title + 3, "     1        7 a ");
	wait_on_row(title + 3, " 25 ");
	ck_assert_int_eq(quit_top(), 0);
}
END_TEST

START_TEST(test_sorting)
{
	start_top("-i", "0.1");
	wait_for("3 clients");
	unsigned title = line_of("CLIENT ");
	/* equals stand by number */
	wait_on_row(title + 1, " 7 a ");
	type("<<"); /* ring, endpoints */
	wait_for("by ENDPOINTS");
	wait_on_row(title + 1, " 7 a ");
	wait_on_row(title + 2, "dhcp_client");
	type("r");
	wait_for("smallest first");
	wait_on_row(title + 3, " 7 a ");
	type("r>>>>>>>"); /* around: the last is all drops */
	wait_for("by DROPS  ");
	wait_on_row(title + 1, "dhcp_client");
	ck_assert_int_eq(quit_top(), 0);
}
END_TEST

START_TEST(test_endpoints_of_a_client)
{
	start_top("-i", "0.1");
	wait_for("3 clients");
	type("j\r"); /* the second client's */
	wait_for("1 of 1 endpoints of client 2");
	wait_for("CLIENT     ID MAC|VLANS");
	wait_for("     2     69 02:00:00:00:00:09|100|200   10.0.0.5:1000");
	type("c");
	wait_for("3 clients");
	ck_assert(!screen_has("10.0.0.5"));
	ck_assert_int_eq(quit_top(), 0);
}
END_TEST

/* As many as there are: the first few are kept, and what is drawn stays right. */
START_TEST(test_many_endpoints)
{
	struct rusage usage;
	cardboard.n_endpoints = 50000;
	start_top("-i", "0.1");
	wait_for("endpoints 50000");
	wait_for("3 clients");
	type("e");
	wait_for("256 of 50000 endpoints");
	unsigned title = line_of("MAC|VLANS");
	wait_on_row(title + 1, "     1      0 02:00");
	type("<<"); /* client, id: around to the left */
	wait_for("by CLIENT");
	type("<"); /* around: all drops */
	wait_for("by DROPS  ");
	wait_on_row(title + 1, "     2     69 02:");
	type("q");
	ck_assert_int_eq(end_top(&usage), 0);
	ck_assert_msg(SANITIZED || usage.ru_maxrss < 10000, "%ld kB", usage.ru_maxrss);
}
END_TEST

START_TEST(test_help)
{
	start_top("-i", "2");
	wait_for("3 clients");
	type("h");
	wait_for("sort by the column beside");
	ck_assert(!screen_has("COMMAND"));
	type("h");
	wait_for("COMMAND");
	type("+");
	wait_for("every 1 s");
	ck_assert_int_eq(quit_top(), 0);
}
END_TEST

/* A window that gets smaller is drawn anew, cut where it ends. */
START_TEST(test_another_size)
{
	struct winsize size = {.ws_row = 10, .ws_col = 40};
	start_top("-i", "0.1");
	wait_for("3 clients");
	ck_assert_int_eq(ioctl(pty, TIOCSWINSZ, &size), 0);
	wait_on_row(9, "3 clients");
	ck_assert_int_eq(quit_top(), 0);
}
END_TEST

/* One that is too small for anything says so, and is drawn on again when it has grown. */
START_TEST(test_too_small)
{
	struct winsize small = {.ws_row = 4, .ws_col = 20};
	struct winsize large = {.ws_row = ROWS, .ws_col = COLUMNS};
	start_top("-i", "0.1");
	wait_for("3 clients");
	ck_assert_int_eq(ioctl(pty, TIOCSWINSZ, &small), 0);
	wait_for("20x4: too small");
	type("ejjk<>hh"); /* nothing of which can be seen */
	ck_assert_int_eq(ioctl(pty, TIOCSWINSZ, &large), 0);
	wait_for("of 70 endpoints");
	ck_assert(!screen_has("too small"));
	ck_assert_int_eq(quit_top(), 0);
}
END_TEST

/* It says so, waits, and goes on with the next one. */
START_TEST(test_daemon_goes_and_comes)
{
	char away[sizeof(cardboard.path) + 8];
	snprintf(away, sizeof(away), "%s.away", cardboard.path);
	start_top("-i", "0.1");
	wait_for("3 clients");
	cardboard.hangs_up = true;
	type("e"); /* several pages */
	wait_for("the daemon has closed the connection");
	wait_for("0 of 0 endpoints");
	ck_assert_int_eq(rename(cardboard.path, away), 0);
	wait_for("no daemon answers at ");
	cardboard.hangs_up = false;
	ck_assert_int_eq(rename(away, cardboard.path), 0);
	wait_for("of 70 endpoints");
	ck_assert(!screen_has("no daemon"));
	ck_assert_uint_eq(line_of("etherconnd 9.9"), 0);
	ck_assert_int_eq(quit_top(), 0);
}
END_TEST

/* Keys are heard, if late. */
START_TEST(test_daemon_is_stuck)
{
	start_top("-i", "0.1");
	wait_for("3 clients");
	cardboard.stuck = true;
	wait_for("the daemon does not answer");
	cardboard.stuck = false;
	wait_for("3 clients");
	ck_assert_int_eq(quit_top(), 0);
}
END_TEST

static const int deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGSEGV};

/* Whatever ends it, the shell gets its terminal back. */
START_TEST(test_signals)
{
	struct rusage usage;
	start_top("-i", "0.1");
	wait_for("3 clients");
	ck_assert(taken);
	ck_assert_int_eq(kill(pid, deadly[_i]), 0);
	int status = wait_for_end(&usage);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), deadly[_i]);
}
END_TEST

/* A daemon that is stuck does not keep anybody from leaving. */
START_TEST(test_interrupted_while_it_waits)
{
	struct rusage usage;
	start_top("-i", "0.1");
	wait_for("3 clients");
	cardboard.stuck = true;
	while (sem_wait(&cardboard.asked_in_vain) < 0)
		ck_assert_int_eq(errno, EINTR);
	type("\003"); /* the terminal makes it SIGINT */
	int status = wait_for_end(&usage);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	cardboard.stuck = false;
}
END_TEST

/* TERM says nothing, or there is no daemon: nothing is drawn. */
START_TEST(test_cannot_begin)
{
	struct rusage usage;
	/* of a terminal that it cannot draw on ncurses keeps a piece of memory */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	term = "unheard-of";
	start_top("-i", "0.1");
	wait_for("this terminal (TERM) cannot be drawn on");
	ck_assert_int_eq(end_top(&usage), 1);
	term = "paper";
	start_top("-s", "/nowhere/sock");
	wait_for("etherconnctl: no daemon answers at /nowhere/sock");
	ck_assert_int_eq(end_top(&usage), 1);
}
END_TEST

START_TEST(test_complaints)
{
	ck_assert_int_eq(run("top", "2>&1 </dev/null"), 2);
	ck_assert_ptr_nonnull(strstr(output, "top needs a terminal"));
	ck_assert_int_eq(run("top x", STDERR), 2);
	ck_assert_int_eq(run("watch top", STDERR), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_top");
	TCase *tc = tcase_create("top");
	tcase_add_unchecked_fixture(tc, make_terminfo, remove_terminfo);
	tcase_add_checked_fixture(tc, cardboard_start, cardboard_stop);
	tcase_add_test(tc, test_clients_come_first);
	tcase_add_test(tc, test_sorting);
	tcase_add_test(tc, test_endpoints_of_a_client);
	tcase_add_test(tc, test_many_endpoints);
	tcase_add_test(tc, test_help);
	tcase_add_test(tc, test_another_size);
	tcase_add_test(tc, test_too_small);
	tcase_add_test(tc, test_daemon_goes_and_comes);
	tcase_add_test(tc, test_daemon_is_stuck);
	tcase_add_loop_test(tc, test_signals, 0, sizeof(deadly) / sizeof(*deadly));
	tcase_add_test(tc, test_interrupted_while_it_waits);
	tcase_add_test(tc, test_cannot_begin);
	tcase_add_test(tc, test_complaints);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
