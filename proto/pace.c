/*
 * pace.c - load is what a window of half a millisecond has seen.
 */
#include "proto/pace.h"

#define WINDOW_NS   500000
#define LOAD_FRAMES 50  /* of a window: 100,000 a second */
#define BURST       128 /* gather that many ... */
#define SLEEP_MIN   20
#define SLEEP_MAX   150 /* ... but make nobody wait longer */

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
	bool load = pace->frames >= LOAD_FRAMES && age < 4 * WINDOW_NS;
	pace->sleep_us = load ? time_of_burst(pace->frames, age) : 0;
	pace->window = now_ns;
	pace->frames = 0;
}

int ecp_pace_after(struct ecp_pace *pace, unsigned moved, int64_t now_ns)
{
	pace->frames += moved;
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
