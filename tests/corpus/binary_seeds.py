#!/usr/bin/python3
# binary_seeds.py - writes the binary seeds beside it: frame/, ring/ and datapath/.
#
# frame: is there a tag beside the frame, its TPID and TCI, the frame (tests/fuzz_frame.c).
# ring: where both rings start, then steps and their arguments (tests/fuzz_ring.c).
# datapath: steps and their arguments (tests/fuzz_datapath.c).
import os
import struct

here = os.path.dirname(os.path.abspath(__file__))


def put(target, name, data):
    os.makedirs(f"{here}/{target}", exist_ok=True)
    with open(f"{here}/{target}/{name}", "wb") as f:
        f.write(data)


# ---- frames ----

macs = bytes.fromhex("020000000001020000000002")
tags = {"8100": b"\x81\x00\x00\x64", "88a8": b"\x88\xa8\xe0\xc8", "9100": b"\x91\x00\x0f\xff"}
udp = struct.pack(">HHHH", 1000, 7, 12, 0) + b"ping"
tcp = struct.pack(">HHIIBBHHH", 80, 81, 1, 2, 0x50, 0x10, 100, 0, 0) + b"data"


def ip4(payload, proto=17, frag=0, options=b"", total=None, version=4):
    size = 20 + len(options) + len(payload) if total is None else total
    return struct.pack(">BBHHHBBH4s4s", version << 4 | (5 + len(options) // 4), 0, size, 1, frag, 64,
                       proto, 0, b"\x0a\0\0\2", b"\x0a\0\0\1") + options + payload


def ip6(payload, proto=17, size=None, version=6):
    return struct.pack(">IHBB16s16s", version << 28, len(payload) if size is None else size, proto, 64,
                       b"\xfe\x80" + bytes(13) + b"\2", b"\xfe\x80" + bytes(13) + b"\1") + payload


def frame(name, ethertype, l3, *stack, beside=None, dst=macs):
    head = b"\1" + beside if beside else bytes(5)
    put("frame", name, head + dst + b"".join(stack) + struct.pack(">H", ethertype) + l3)


t = tags["8100"]
frame("udp4", 0x800, ip4(udp))
frame("udp4-vlan", 0x800, ip4(udp), t)
frame("udp4-qinq", 0x800, ip4(udp), tags["88a8"], t)
frame("udp4-tag-beside", 0x800, ip4(udp), t, beside=b"\xa8\x88\xc8\0")
frame("udp4-9100", 0x800, ip4(udp), tags["9100"])
frame("three-tags", 0x800, ip4(udp), t, t, t)
frame("three-tags-beside", 0x800, ip4(udp), t, t, beside=b"\0\x81\1\0")
frame("udp-odd", 0x800, ip4(struct.pack(">HHHH", 1, 2, 11, 0) + b"pin"))
frame("padded", 0x800, ip4(udp) + bytes(14))
frame("options", 0x800, ip4(udp, options=b"\1" * 8))
frame("tcp4", 0x800, ip4(tcp, 6))
frame("tcp6", 0x86dd, ip6(tcp, 6))
frame("tcp-short", 0x800, ip4(tcp[:19], 6))
frame("icmp4", 0x800, ip4(b"\10\0\0\0", 1))
frame("no-payload", 0x800, ip4(b""))
frame("no-payload-raw", 0x800, ip4(b"", 255))
frame("first-fragment", 0x800, ip4(udp[:8], frag=0x2000))
frame("first-fragment-cut", 0x800, ip4(udp[:7], frag=0x2000))
frame("later-fragment", 0x800, ip4(udp, frag=0x2005))
frame("udp-cut", 0x800, ip4(udp[:7]))
frame("udp-too-long", 0x800, ip4(struct.pack(">HHHH", 1, 2, 13, 0) + b"ping"))
frame("udp-too-short", 0x800, ip4(struct.pack(">HHHH", 1, 2, 7, 0)))
frame("udp-checksum", 0x800, ip4(struct.pack(">HHHH", 1, 2, 12, 0x1234) + b"ping"))
# the pseudo-header's sum alone, as a kernel leaves it for its hardware
frame("udp-unfinished", 0x800, ip4(struct.pack(">HHHH", 1, 2, 12, 0x1420) + b"ping"))
frame("udp6-no-checksum", 0x86dd, ip6(udp))
frame("ip4-cut", 0x800, ip4(udp)[:19])
frame("ip4-version", 0x800, ip4(udp, version=5))
frame("ip4-total-long", 0x800, ip4(udp, total=100))
frame("ip4-total-short", 0x800, ip4(udp, total=19))
frame("ip4-header-short", 0x800, b"\x44" + ip4(udp)[1:])
frame("ip6-cut", 0x86dd, ip6(udp)[:39])
frame("ip6-version", 0x86dd, ip6(udp, version=4))
frame("ip6-too-long", 0x86dd, ip6(udp, size=100))
frame("ip6-jumbogram", 0x86dd, ip6(b"", 0))
hop = lambda nxt, units=0: bytes([nxt, units]) + bytes(6 + units * 8)
frame("ip6-extensions", 0x86dd,
      ip6(hop(43) + hop(60, 1) + hop(51) + bytes([44, 0]) + bytes(6) + bytes([17, 0, 0, 0, 0, 0, 0, 9]) + udp, 0))
frame("ip6-fragment-first", 0x86dd, ip6(bytes([17, 0, 0, 1, 0, 0, 0, 9]) + udp, 44))
frame("ip6-fragment-later", 0x86dd, ip6(bytes([17, 0, 0, 9, 0, 0, 0, 9]) + udp, 44))
frame("ip6-extension-cut", 0x86dd, ip6(b"\x11\0\0\0", 60))
frame("ip6-extension-long", 0x86dd, ip6(hop(17)[:1] + b"\xff" + bytes(6), 60))
frame("ip6-no-next", 0x86dd, ip6(b"", 59))
frame("arp", 0x806, bytes(28), dst=b"\xff" * 6 + macs[6:])
frame("llc", 3, b"\x42\x42\3" + bytes(43))
frame("llc-too-long", 100, bytes(46))
frame("empty", 0x800, b"")
frame("tag-cut", 0x8100, b"")
frame("tag-cut-2", 0x8100, b"\0\1")
put("frame", "runt", bytes(5) + macs)

# ---- rings: the steps of fuzz_ring.c, by name ----

names = ["record", "any_record", "scribble_head", "scribble", "tx_prod", "rx_cons", "wishes",
         "refresh", "next", "release", "sleep", "put", "publish", "room", "ahead"]


def step(name, fmt="", *args):
    return bytes([names.index(name)]) + struct.pack("<" + fmt, *args)


def ring(name, start, *steps):
    put("ring", name, struct.pack("<h", start) + b"".join(steps))


def any_record(size, kind=3, aux=8, endpoint=0, advance=48):
    return step("any_record", "IBBHIH", size, kind, 0, aux, endpoint, advance)


record = step("record", "HB", 100, 1)
take = step("refresh") + step("next") * 2 + step("release")
put_frame = step("put", "BBH", 1, 2, 200)
ring("sent", 0, record, record, take, step("sleep"))
ring("sent-across-the-end", -40, record * 9, take * 5, record * 9, take * 5)
ring("many", 4090, (step("record", "HB", 1500, 0) + take) * 90)
ring("asleep-and-rung", 0, step("wishes", "BHBH", 2, 0, 2, 0), step("sleep"), record, take)
for bad in ("aux-length", 24 + 8, 3, 7), ("long", 1 << 31, 3, 8), ("short", 15, 3, 8), \
        ("pad", 48, 1, 0), ("rx", 48, 2, 16), ("type", 48, 9, 8), ("aux-over", 24, 3, 16), ("wrap", 0xffffffff, 3, 8):
    ring("bad-" + bad[0], 0, any_record(*bad[1:]), take)
ring("foreign-endpoint", 0, any_record(40, endpoint=1 << 31), take)
ring("head-rewritten", 0, record, step("refresh"), step("scribble_head", "BB", 3, 0xff), step("next"))
ring("payload-rewritten", 0, record, step("refresh"), step("scribble", "HB", 40, 1), step("next"))
for name, how, index in ("back", 0, -1), ("odd", 2, 8), ("ahead", 0, 5000):
    ring("tx-prod-" + name, 0, record, take, step("tx_prod", "Bh", how, index), take)
    ring("rx-cons-" + name, 0, put_frame, step("publish"), step("rx_cons", "Bh", how, index), put_frame)
ring("tx-prod-huge", 0, step("tx_prod", "BQ", 1, 1 << 63), take)
ring("received", 0, put_frame, step("put", "BBH", 0, 4, 60), step("publish"), step("rx_cons", "Bh", 0, 31), put_frame)
ring("waits-for-room", 0, record, step("room", "H", 64), take, step("release"), step("publish"))
ring("full", 0, (put_frame + step("put", "BBH", 0, 1, 1500)) * 60, step("publish"), step("rx_cons", "Bh", 0, 16), put_frame)
ring("ahead", 0, record * 12, step("refresh"), step("ahead"), step("next"), step("ahead"), any_record(1 << 31), step("refresh"), take * 6, step("ahead"))

# ---- a whole datapath: the steps of fuzz_datapath.c, by name ----

names = ["open", "close", "set_local", "any_frame", "frame", "record", "scribble", "lie", "turn", "policy", "watch"]


def quad(data):
    data += bytes(-len(data) % 4)
    return bytes([len(data) // 4]) + data


def open_l2(who, flags=0, where=0, types=0):
    return step("open", "BBBBB", who, flags, 0, where, types)


def open_udp(who, on=0, port=1, flags=0, ip=1):
    return step("open", "BBBBBB", who, flags, 1, on, port, ip)


def to(where, l3, kind=0, beside=0, flags=1):
    return step("frame", "BB", where, kind) + quad(l3) + bytes([beside, 100, flags])


def send(endpoint, payload, how=0):
    return step("record", "BB", endpoint, how) + quad(payload)


def datapath(name, *steps):
    put("datapath", name, b"".join(steps) + step("turn"))


turn = step("turn")
mine = ip4(struct.pack(">HHHH", 1, 2, 12, 0) + b"ping")[:12] + b"\0\0\0\1" + ip4(udp)[16:20] + \
    struct.pack(">HHHH", 1, 2, 12, 0) + b"ping"
datapath("received", open_l2(0), open_l2(1, where=1), to(0, ip4(udp)), to(1, ip6(udp), 2), turn)
datapath("received-tagged", open_l2(0, where=2), open_l2(1, where=4), to(2, ip4(udp)), to(4, ip4(udp)), to(0, ip4(udp), beside=1))
datapath("udp", open_l2(0), open_udp(0, port=3), open_udp(0, port=2, flags=8), to(0, ip4(struct.pack(">HHHH", 9, 3, 8, 0))), to(0, ip4(udp)))
datapath("multicast", open_l2(0, 1), open_l2(0, 2, 1), open_l2(1, 1, 1), to(0, ip4(udp), 1), to(2, ip4(udp), 1))
datapath("shared", open_l2(0, 4), open_l2(1, 4), to(0, ip4(udp)) * 3)
datapath("sent", open_l2(0), send(0, ip4(udp)), send(0, ip6(udp), 1), send(0, b"x", 4), send(0, b"", 2), send(0, b"", 5), turn, send(0, ip4(udp), 24), send(0, b"", 255), send(9, b""))
datapath("sent-tagged", open_l2(0, where=4), open_l2(0, where=34), send(0, ip4(udp)), send(1, b"", 16))
datapath("sent-udp", open_l2(0), open_udp(0), send(1, mine), send(1, ip4(udp)), send(1, b""), turn, step("set_local", "BBBB", 0, 1, 2, 1), send(1, mine))
datapath("closed", open_l2(0), open_udp(0), send(1, mine), step("close", "BB", 0, 0), to(0, ip4(udp)), turn, open_l2(1), to(0, ip4(udp)))
datapath("scribbled", open_l2(0), send(0, ip4(udp)), step("scribble", "BB", 0, 200), turn, open_l2(0), send(0, ip4(udp)))
for i, word in enumerate(["prod", "wake", "space", "cons"]):
    datapath("lie-" + word, open_l2(0), to(0, ip4(udp)), turn, step("lie", "BBBB", i, 8, 0, 1), to(0, ip4(udp)), turn)
datapath("full", open_l2(0), to(0, ip4(udp)) * 200, turn)
datapath("full-multicast", open_l2(0, 1), open_l2(1, 1), to(0, ip4(udp), 1) * 250, turn)
datapath("multicast-ignored", open_l2(0), to(0, ip4(udp), 1))
datapath("too-long", open_l2(0), open_l2(1, where=2), send(0, b"", 0xf0), send(0, b"", 0x50), to(0, ip4(udp), flags=4))
datapath("bad-frames", open_l2(0), to(0, b"\x45"), to(0, ip4(udp[:7])), to(4, ip4(udp), beside=1), to(0, b"", flags=2), to(0, ip4(udp), flags=2),
         step("any_frame") + quad(macs + b"\x81\0\0\1") + bytes(3))
datapath("default", open_l2(0, 16), open_l2(0, 17, where=2), open_l2(1, 16), to(0, ip4(udp)), to(5, ip4(udp)), to(5, ip4(udp), 1), turn, step("close", "BB", 0, 0), to(5, ip4(udp)))
datapath("mirror", open_l2(0, 35), open_l2(1, 1, where=1), to(1, ip4(udp)), to(1, ip4(udp), 1), to(5, ip4(udp)), to(0, ip4(udp)))
datapath("default-full", open_l2(0, 16), open_l2(0, 48, where=2), to(5, ip4(udp)) * 200)
for i, word in enumerate(["udp-only", "ethertypes", "rate", "vlans", "none"]):
    datapath("policy-" + word, step("policy", "B", i), open_l2(0), open_udp(0), send(0, ip4(udp)) * 3, send(0, b"x", 4), send(1, mine), turn,
             step("policy", "B", 4), open_l2(1, where=2), send(0, ip4(udp)))
datapath("any-frame", open_l2(0), step("any_frame") + quad(macs + bytes(20)) + bytes(3))
watch = step("watch", "BBB", 0, 0, 0)
datapath("watched", watch, open_l2(0, 1), open_l2(0, 16, where=2), to(0, ip4(udp)), to(0, ip4(udp), 1), to(5, ip4(udp)), to(0, ip4(udp), flags=4), to(0, b"\x45"), turn,
         send(0, ip4(udp)), send(0, b"x", 4), send(0, b"", 2), send(0, b"", 255), send(9, b""), send(0, b"", 0xf0))
datapath("watched-any", watch, open_l2(0, 2, 1), to(0, ip4(udp), 1), open_l2(1, 1), to(0, ip4(udp), 1))
datapath("watched-full", watch, open_l2(0), to(0, ip4(udp)) * 300)
datapath("watched-liar", watch, open_l2(0), to(0, ip4(udp)) * 150, turn, step("watch", "BBB", 1, 1, 1), to(0, ip4(udp)) * 150, turn, turn)
datapath("watched-policy", watch, step("policy", "B", 2), open_l2(0), send(0, ip4(udp)) * 4, step("policy", "B", 0), open_l2(0, where=1), send(1, ip4(udp)), open_udp(0), send(2, ip4(udp)))
