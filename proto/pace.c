/*
 * pace.c - load is what a window of half a millisecond has seen.
 */
#include "proto/pace.h"

#define WINDOW_NS   500000
#define LOAD_FRAMES 50 /* of a window: 100,000 a second */
#define BURST       256
#define SLEEP_MIN   20
#define SLEEP_MAX   250

static uint32_t time_of_burst(uint32_t frames, int64_t ns)
{
	uint64_t us = (uint64_t)ns * BURST / 1000 / frames;
	return us < SLEEP_MIN ? SLEEP_MIN : us > SLEEP_MAX ? SLEEP_MAX : (uint32_t)us;
}

static void look_at_window(struct ecp_pace *pace, int64_t now_ns)
{
	int64_t age = now_ns - pace->window;
	if (age < WINDOW_NS)
		return;
	/* of a window that was slept through, the rate says nothing */
	uint32_t frames = pace->in > pace->out ? pace->in : pace->out;
	bool load = frames >= LOAD_FRAMES && age < 4 * WINDOW_NS;
	pace->sleep_us = load ? time_of_burst(frames, age) : 0;
	pace->window = now_ns;
	pace->in = pace->out = 0;
}

int ecp_pace_after(struct ecp_pace *pace, unsigned in, unsigned out, int64_t now_ns)
{
	const unsigned moved = in + out;
	pace->in += in;
	pace->out += out;
	look_at_window(pace, now_ns);
	if (moved) {
		pace->idle = 0;
		pace->last = now_ns;
		if (pace->spin_ns)
			return 0;
		if (moved >= BURST)
			return 0;
		if (pace->few && moved >= pace->few && !pace->sleep_us)
			return SLEEP_MIN;
		return (int)pace->sleep_us;
	}
	if (pace->spin_ns && now_ns - pace->last < pace->spin_ns)
		return 0;
	/* under load one empty turn is no end of it */
	if (++pace->idle == 1 && pace->sleep_us)
		return (int)pace->sleep_us;
	pace->sleep_us = 0;
	return ECP_PACE_BLOCK;
}
