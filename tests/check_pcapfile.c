/*
 * check_pcapfile.c - the back-end without an interface: what is written is what is replayed.
 */
#include "daemon/relay.h"
#include "tests/frames.h"
#include "tests/suite.h"
#include "tests/when.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N 200 /* several bursts, the last one not full */

static char dir[32], path[64];
static struct relay relay;
static const struct kernel_claim claim;

static void setup(void)
{
	strcpy(dir, "/tmp/etherconnd-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.pcap", dir);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static int open_relay(const char *in, const char *out, uint32_t speed, char *text,
		      size_t room)
{
	struct relay_config config = {.interface = "replay",
				      .backend = "pcapfile",
				      .read = in,
				      .write = out,
				      .speed = speed};
	return relay_open(&relay, &config, text, room);
}

static void must_open(const char *in, const char *out, uint32_t speed)
{
	char text[200] = "";
	ck_assert_msg(open_relay(in, out, speed, text, sizeof(text)) == 0, "%s", text);
}

static uint32_t make_frame(unsigned number, uint8_t *frame)
{
	char payload[100];
	int len = snprintf(payload, sizeof(payload), "frame %u", number);
	return test_frame_build(&(struct test_frame){.to = "02:00:00:00:00:01|100|200",
						     .tpid = {0x88a8, 0x8100},
						     .ethertype = 0x88b5,
						     .payload = payload,
						     .len = (uint32_t)len},
				frame);
}

static void write_capture(unsigned n)
{
	struct relay_buffer buffers[RELAY_BURST];
	must_open(NULL, path, 0);
	for (unsigned sent = 0; sent < n;) {
		unsigned burst = n - sent < RELAY_BURST ? n - sent : RELAY_BURST;
		ck_assert_uint_eq(relay.ops->tx_reserve(&relay, buffers, burst), burst);
		for (unsigned i = 0; i < burst; i++)
			buffers[i].len = make_frame(sent + i, buffers[i].data);
		relay.ops->tx_submit(&relay, buffers, burst);
		sent += burst;
	}
	ck_assert_uint_eq(relay.stats.tx, n);
	relay_close(&relay);
}

START_TEST(test_there_and_back)
{
	unsigned n = 0;
	write_capture(N);
	must_open(path, NULL, 0);
	ck_assert(!readable(relay.fd, 0)); /* nobody has claimed anything yet */
	relay_claim_add(&relay, &claim);
	while (readable(relay.fd, 0)) {
		struct relay_frame frames[RELAY_BURST];
		int got = relay.ops->rx_peek(&relay, frames, RELAY_BURST);
		ck_assert_int_gt(got, 0);
		for (int i = 0; i < got; i++, n++) {
			uint8_t expected[ECP_FRAME_MAX];
			uint32_t len = make_frame(n, expected);
			ck_assert_uint_eq(frames[i].len, len);
			ck_assert_mem_eq(frames[i].data, expected, len);
			ck_assert_uint_eq(frames[i].flags, 0);
			ck_assert(frames[i].time_ns > UINT64_C(1700000000000000000));
		}
		relay.ops->rx_release(&relay);
	}
	ck_assert_uint_eq(n, N);
	relay_close(&relay);
}
END_TEST

/* A replay stops while nobody has a claim, and goes on with the next one. */
START_TEST(test_waits_for_claims)
{
	struct relay_frame frame;
	write_capture(3);
	must_open(path, NULL, 0);
	relay_claim_add(&relay, &claim);
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &frame, 1), 1);
	relay_claim_remove(&relay, &claim);
	ck_assert(!readable(relay.fd, 0));
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &frame, 1), 0);
	relay_claim_add(&relay, &claim);
	ck_assert(readable(relay.fd, 0));
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &frame, 1), 1);
	relay_close(&relay);
}
END_TEST

/* A capture of two frames, a second apart, microseconds, written byte by byte. */
static void write_by_hand(void)
{
	static const uint32_t head[] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
	uint8_t frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
	FILE *f = fopen(path, "w");
	fwrite(head, sizeof(head), 1, f);
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t packet[] = {1000 + i, 5, sizeof(frame), sizeof(frame) + i};
		fwrite(packet, sizeof(packet), 1, f);
		fwrite(frame, sizeof(frame), 1, f);
	}
	fclose(f);
}

/* Ten times as fast: the second frame is due 100 ms after the first. */
START_TEST(test_its_own_time)
{
	struct relay_frame frame;
	int64_t begin = now_ms();
	write_by_hand();
	must_open(path, NULL, 10);
	relay_claim_add(&relay, &claim);
	ck_assert(readable(relay.fd, 1000));
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &frame, 1), 1);
	ck_assert_uint_eq(frame.time_ns, UINT64_C(1000000005000));
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &frame, 1), 0);
	ck_assert(readable(relay.fd, 5000));
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &frame, 1), 1);
	ck_assert_int_ge(now_ms() - begin, 99);
	/* it was longer than what was captured of it */
	ck_assert_uint_eq(frame.flags, RELAY_FRAME_TRUNCATED);
	ck_assert(!readable(relay.fd, 0));
	relay_close(&relay);
}
END_TEST

START_TEST(test_nowhere_to_send)
{
	struct relay_buffer buffer;
	must_open(NULL, NULL, 0);
	relay.ops->tx_reserve(&relay, &buffer, 1);
	buffer.len = make_frame(0, buffer.data);
	relay.ops->tx_submit(&relay, &buffer, 1);
	ck_assert_uint_eq(relay.stats.tx, 0);
	ck_assert_uint_eq(relay.stats.tx_down, 1);
	relay_close(&relay);
}
END_TEST

START_TEST(test_says_why_not)
{
	char text[200] = "";
	FILE *f = fopen(path, "w");
	fputs("this is no capture", f);
	fclose(f);
	ck_assert_int_eq(open_relay(path, NULL, 1, text, sizeof(text)), -EINVAL);
	ck_assert_msg(strstr(text, "the capture to read"), "%s", text);
	ck_assert_int_eq(open_relay("/none/a.pcap", NULL, 1, text, sizeof(text)), -ENOENT);
	ck_assert_msg(strstr(text, "No such file"), "%s", text);
	ck_assert_int_eq(open_relay(NULL, "/none/a.pcap", 1, text, sizeof(text)), -ENOENT);
	ck_assert_msg(strstr(text, "the capture to write"), "%s", text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pcapfile");
	TCase *tc = tcase_create("pcapfile");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_there_and_back);
	tcase_add_test(tc, test_waits_for_claims);
	tcase_add_test(tc, test_its_own_time);
	tcase_add_test(tc, test_nowhere_to_send);
	tcase_add_test(tc, test_says_why_not);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
