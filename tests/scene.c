/*
 * scene.c - starting, sending, waiting for the marker.
 */
#include "tests/scene.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scene scene;

void scene_start_filtered(int loop, const char *filter)
{
	scene.six = loop & 1;
	scene.sender = NULL;
	if (loop / 2 == SCENE_MEMORY) {
		daemon_process_start(&scene.served, 0, 0);
		scene.sender = user_connect(&scene.served, NULL);
	} else {
		daemon_process_start_filtered(&scene.served, LINK_IF,
					      link_backends[loop / 2], filter);
	}
	scene.relay = user_connect(&scene.served, NULL);
}

void scene_start(int loop)
{
	scene_start_filtered(loop, NULL);
}

void scene_stop(void)
{
	ec_relay_close(scene.relay);
	ec_relay_close(scene.sender);
	ck_assert_int_eq(daemon_process_stop(&scene.served), 0);
}

struct ec_l2 *scene_l2(const char *text, unsigned flags, uint16_t ethertype)
{
	return user_l2(scene.relay, text, flags, ethertype);
}

const char *scene_address(const char *word, char text[ECP_ADDR_TEXT])
{
	static const struct {
		const char *word, *four, *six;
	} words[] = {{"me", "10.0.0.1", "[fd00::1]"},
		     {"other", "10.0.0.2", "[fd00::2]"},
		     {"any", "0.0.0.0", "[::]"},
		     {"peer", "10.0.0.9", "[fd00::9]"},
		     {"far", "192.0.2.1", "[2001:db8::1]"},
		     {"nobody", "10.0.0.77", "[fd00::77]"}};
	size_t len = strcspn(word, ":");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strncmp(words[i].word, word, len)) {
			snprintf(text, ECP_ADDR_TEXT, "%s%s",
				 scene.six ? words[i].six : words[i].four, word + len);
			return text;
		}
	abort();
}

struct sockaddr_storage scene_sockaddr(const char *word)
{
	char text[ECP_ADDR_TEXT];
	return user_address(scene_address(word, text));
}

struct ec_udp *scene_udp(struct ec_l2 *l2, const char *word, unsigned flags)
{
	struct ec_udp_opts opts = EC_UDP_OPTS;
	char text[ECP_ADDR_TEXT];
	opts.flags = flags;
	return user_udp(l2, scene_address(word, text), &opts);
}

/* From an endpoint with the frame's tags, as which the other client sends it. */
static void send_as_client(const struct test_frame *f, const uint8_t *frame, uint32_t len)
{
	struct ec_l2addr addr;
	struct ec_l2 *l2;
	uint16_t type;
	ck_assert_int_eq(ec_l2addr_parse(f->to, &addr), 0);
	const uint32_t head = 14 + 4u * addr.n_vlans;
	for (unsigned i = 0; i < addr.n_vlans; i++)
		addr.vlans[i].tpid = f->tpid[i];
	memcpy(addr.mac, frame + 6, sizeof(addr.mac));
	memcpy(&type, frame + head - 2, sizeof(type));
	ck_assert_msg(ec_l2_open(&l2, scene.sender, &addr, NULL) == 0, "%s",
		      ec_error_text());
	ck_assert_int_eq(ec_l2_send(l2, frame + head, len - head, ntohs(type), frame, 0),
			 len - head);
	ec_l2_close(l2);
}

void scene_send(const struct test_frame *f)
{
	uint8_t frame[ECP_FRAME_MAX];
	uint32_t len = test_frame_build(f, frame);
	if (scene.sender)
		send_as_client(f, frame, len);
	else
		link_send(frame, len);
}

void scene_send_udp(const char *to, const char *src, const char *dst)
{
	char src_text[ECP_ADDR_TEXT], dst_text[ECP_ADDR_TEXT];
	scene_send(&(struct test_frame){.to = to,
					.src_ip = scene_address(src, src_text),
					.dst_ip = scene_address(dst, dst_text)});
}

static void send_marker(void)
{
	scene_send(&(struct test_frame){
	    .to = MARKER, .ethertype = 0x88b5, .payload = "end", .len = 3});
}

/* A frame is lent until the next receiving call: have it longer. */
static void keep(const struct ec_frame *got, struct ec_frame *frame)
{
	static uint8_t bytes[LINK_ROOM];
	ck_assert_uint_le(got->len, sizeof(bytes));
	memcpy(bytes, got->data, got->len);
	*frame = *got;
	frame->data = bytes;
	frame->l3 = bytes + (got->l3 - got->data);
	frame->payload = got->payload ? bytes + (got->payload - got->data) : NULL;
}

unsigned scene_until_marker(const struct ec_l2 *marker, struct ec_frame *frame)
{
	unsigned n = 0;
	struct ec_frame got;
	send_marker();
	for (;; n++) {
		ck_assert_msg(ec_relay_recv(scene.relay, &got, 1, 5000) == 1,
			      "the marker is lost");
		if (got.l2 == marker)
			return n;
		if (n == 0)
			keep(&got, frame);
	}
}

uint64_t scene_counter(const char *name)
{
	struct ecp_relay_stats stats;
	daemon_process_stats(&scene.served, &stats);
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++)
		if (!strcmp(ecp_relay_counters[i].name, name))
			return ecp_counter_get(&ecp_relay_counters[i], &stats);
	abort();
}

uint64_t scene_lost(const char *name)
{
	return scene_counter(name) + scene_counter("rx_filtered");
}
