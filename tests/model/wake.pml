/*
 * wake.pml - the publish / arm / wake protocol of one ring (proto/channel.h), for the Spin
 * model checker: every interleaving of both sides, of stores that leave their processor late,
 * and of the death of either side at any step.
 *
 *   client (producer)     publish, wait_for_room   as in client-lib/transmit.c
 *   daemon (consumer)     drain, take, release, arm, poll   as in daemon/ and proto/channel.h
 *   processors            let stores out, each variable by itself: weaker than x86, as ARM is
 *   fate                  kills one of them at any moment, or nobody
 *
 * What must hold:
 *   - nobody sleeps for ever: no end state in which a process still waits (Spin looks for
 *     those by itself), be it for a bell that is not rung or for one who is dead;
 *   - a record is not written over before it was read, and none is read twice, damaged or out
 *     of order (assertions);
 *   - what a client had published before it died is taken.
 *
 * Each of these, left out by -D, must make the check fail (tests/check_model.sh):
 *   NO_FENCE_PUBLISH NO_FENCE_ARM      before the look at the other's wish, or index
 *   NO_FENCE_RELEASE NO_FENCE_ROOM     the same for the other direction: room
 *   NO_SECOND_LOOK NO_SECOND_LOOK_ROOM arm without looking once more
 *   LATE_DRAIN                         drain the doorbell after the last look at the ring
 *   EARLY_INDEX                        publish before the record is written
 *   NO_HANGUP                          sleep on the bell alone, not on the socket too
 * With -DDROPS the producer drops what finds no room, as the daemon does in its RX ring.
 */
#ifndef RECORDS
#define RECORDS 4
#endif
#define SLOTS 2

/* Shared words, and the stores to them that are under way. */
#define PROD     0
#define CONS     1
#define WAKE_AT  2
#define SPACE_AT 3
#define WORDS    4

byte word[WORDS];
byte leaving[WORDS];
bool under_way[WORDS];

byte slot[SLOTS]; /* the record's number, from 1; 0: nothing unread */
bool bell[2];     /* bytes in the pipe that the client (0), the daemon (1) sleeps on */
bool dead[2];
bool doomed[2];
byte taken; /* by the daemon */

#define CLIENT 0
#define DAEMON 1

/* Stores to one word leave in their order; those to different words do not. */
inline store(which, value)
{
	atomic {
		!under_way[which];
		under_way[which] = true;
		leaving[which] = value
	}
}

/* Until a process's own two words are out it looks at nobody's. */
#define FENCE(a, b) (!under_way[a] && !under_way[b])

/* The kernel ends a process's socket under locks that its last stores cannot pass. */
inline die(self, a, b)
{
	FENCE(a, b);
	dead[self] = true
}

/* virtio's event index: was `at` passed on the way from old to new? */
#define PASSED(at, old, new) ((at) >= (old) && (at) < (new))

#ifdef NO_HANGUP
#define WOKEN(self) (bell[self])
#else
#define WOKEN(self) (bell[self] || dead[1 - (self)])
#endif

/* ---- the producer ---- */

/* ecp_out_publish() and its caller's bell */
inline publish()
{
	if
	:: pos != published ->
		store(PROD, pos);
		old = published;
		published = pos;
#ifndef NO_FENCE_PUBLISH
		FENCE(PROD, SPACE_AT);
#endif
		at = word[WAKE_AT];
		if
		:: PASSED(at, old, pos) -> bell[DAEMON] = true
		:: else
		fi
	:: else
	fi
}

/* ecp_out_arm(): need more records taken, or a bell */
inline wait_for_room()
{
	need = (pos - seen) / 2 + 1;
	store(SPACE_AT, seen + need - 1);
#ifndef NO_FENCE_ROOM
	FENCE(PROD, SPACE_AT);
#endif
	at = word[CONS];
#ifdef NO_SECOND_LOOK_ROOM
	at = seen;
#endif
	if
	:: at - seen >= need
	:: else ->
		WOKEN(CLIENT);
		if
		:: dead[DAEMON] && !bell[CLIENT] -> goto hung_up
		:: else -> bell[CLIENT] = false
		fi
	fi
}

inline write_record()
{
#ifdef EARLY_INDEX
	store(PROD, pos + 1);
#endif
	assert(slot[pos % SLOTS] == 0);
	slot[pos % SLOTS] = pos + 1;
	pos++
}

active proctype client()
{
	byte tries, pos, published, seen, old, at, need;
	{
		do
		:: tries < RECORDS && pos - seen < SLOTS ->
			tries++;
			write_record();
			if
			:: publish()
			:: skip /* more follows */
			fi
		:: tries < RECORDS && pos - seen == SLOTS && word[CONS] != seen ->
			seen = word[CONS]
		:: tries < RECORDS && pos - seen == SLOTS && word[CONS] == seen ->
			publish();
#ifdef DROPS
			tries++
#else
			wait_for_room()
#endif
		:: tries == RECORDS -> break
		od;
		publish();
		/* eci_tx_drain(): before it closes, it waits until all was taken */
#ifndef DROPS
		do
		:: seen = word[CONS];
		   if
		   :: seen == published -> break
		   :: else -> wait_for_room()
		   fi
		od;
		assert(taken == published);
#endif
hung_up:	skip
	} unless { doomed[CLIENT] };
	die(CLIENT, PROD, SPACE_AT)
}

/* ---- the consumer ---- */

inline drain()
{
	bell[DAEMON] = false
}

/* ecp_in_refresh(), ecp_in_peek(), ecp_in_consume() */
inline take_all()
{
	seen = word[PROD];
	do
	:: pos < seen ->
		assert(slot[pos % SLOTS] == pos + 1);
		slot[pos % SLOTS] = 0;
		pos++;
		taken = pos
	:: pos == seen -> break
	od
}

/* ecp_in_release() and its caller's bell */
inline release()
{
	if
	:: pos != released ->
		store(CONS, pos);
		old = released;
		released = pos;
#ifndef NO_FENCE_RELEASE
		FENCE(CONS, WAKE_AT);
#endif
		at = word[SPACE_AT];
		if
		:: PASSED(at, old, pos) -> bell[CLIENT] = true
		:: else
		fi
	:: else
	fi
}

active proctype daemon()
{
	byte pos, released, seen, old, at;
	bool last;
	{
		do
		:: last = dead[CLIENT];
#ifndef LATE_DRAIN
		   drain();
#endif
		   take_all();
		   release();
		   if
		   :: last -> break /* what it had sent before it ended was taken above */
		   :: else
		   fi;
		   /* ecp_in_arm() */
		   store(WAKE_AT, pos);
#ifndef NO_FENCE_ARM
		   FENCE(CONS, WAKE_AT);
#endif
		   at = word[PROD];
#ifdef NO_SECOND_LOOK
		   at = pos;
#endif
		   if
		   :: at != pos
		   :: else ->
#ifdef LATE_DRAIN
			drain();
#endif
			WOKEN(DAEMON)
		   fi
		od;
		assert(taken == word[PROD])
	} unless { doomed[DAEMON] };
	die(DAEMON, CONS, WAKE_AT)
}

/* ---- what neither decides ---- */

active proctype processors()
{
end:	do
	:: d_step { under_way[PROD] -> word[PROD] = leaving[PROD]; under_way[PROD] = false }
	:: d_step { under_way[CONS] -> word[CONS] = leaving[CONS]; under_way[CONS] = false }
	:: d_step {
		under_way[WAKE_AT] -> word[WAKE_AT] = leaving[WAKE_AT];
		under_way[WAKE_AT] = false
	   }
	:: d_step {
		under_way[SPACE_AT] -> word[SPACE_AT] = leaving[SPACE_AT];
		under_way[SPACE_AT] = false
	   }
	od
}

/* At any moment, since it may be last in any schedule. */
active proctype fate()
{
	if
	:: doomed[CLIENT] = true
	:: doomed[DAEMON] = true
	:: skip
	fi
}
