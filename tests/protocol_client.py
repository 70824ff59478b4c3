"""protocol_client.py - a client of etherconnd that knows nothing but etherconn-protocol(7).

    protocol_client.py SOCKET COUNT

On 02:00:00:00:00:77 behind VLAN 100 it asks for the MAC address of 10.9.0.2 as 10.9.0.1, then
pings it COUNT times, eight at a time, through rings so small that both wrap again and again.  Then it
reads what the daemon has counted meanwhile, and asks whether that is so.
"""
import array
import json
import mmap
import os
import select
import socket
import struct
import sys
import threading

RING, PAGE = 65536, 4096
MAC = bytes.fromhex("020000000077")
OWN, PEER = socket.inet_aton("10.9.0.1"), socket.inet_aton("10.9.0.2")
PATIENCE_MS = 10000
lock = threading.Lock()


def fence():
    """What Python has: an atomic exchange is a full fence where it runs in practice."""
    with lock:
        pass


class Memory:
    """Numbers in shared memory, read and written at once, and a ring behind a page."""

    def __init__(self, fd, writable):
        prot = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self.map = mmap.mmap(fd, PAGE + RING, mmap.MAP_SHARED, prot)
        view = memoryview(self.map)
        self.u64, self.ring = view[:PAGE].cast("Q"), view[PAGE:]

    def u32(self, offset):
        return struct.unpack_from("=I", self.map, offset)[0]


class Client:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.connect(path)
        reply = self.ask({"request": "attach", "version": 1, "rx_ring": RING, "tx_ring": RING})
        assert reply["reply"] == "attached" and len(self.fds) == 5, reply
        assert (reply["rx_ring"], reply["tx_ring"]) == (RING, RING), reply
        self.d, self.c = Memory(self.fds[0], False), Memory(self.fds[1], True)
        self.bell, self.daemon_bell = self.fds[2], self.fds[3]
        assert self.d.u32(0) == 0x65746863 and self.d.u32(4) == 1, "magic, version"
        assert self.d.u64[8 // 8] == reply["session"], "session"
        self.rx = self.tx = 0

    def ask(self, request):
        self.sock.send(json.dumps(request).encode())
        text, extra, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(5 * 4))
        fds = array.array("i")
        for level, kind, data in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) // 4 * 4])
        if fds:
            self.fds = list(fds)
        return json.loads(text)

    def wait(self):
        """For the doorbell; a daemon that has gone, or too long a silence, is the end."""
        poll = select.poll()
        poll.register(self.bell, select.POLLIN)
        poll.register(self.sock, select.POLLIN)
        ready = poll.poll(PATIENCE_MS)
        assert ready and ready[0][0] == self.bell, "nothing came"

    # ---- receiving ----

    def records(self):
        """(auxiliary data, frame) of all that is there, as copies; then its room is given back."""
        found, prod = [], self.d.u64[64 // 8]
        while self.rx != prod:
            at = self.rx % RING
            size, kind, _, aux_len = struct.unpack_from("=IBBH", self.d.ring, at)
            if kind == 2:
                begin = at + 16
                aux = bytes(self.d.ring[begin : begin + aux_len])
                found.append((aux, bytes(self.d.ring[begin + aux_len : at + size])))
            self.rx += (size + 15) // 16 * 16
        self.c.u64[128 // 8] = self.rx
        return found

    def receive(self):
        while True:
            found = self.records()
            if found:
                return found
            try:
                os.read(self.bell, 4096)
            except BlockingIOError:
                pass
            self.c.u64[136 // 8] = self.rx
            fence()
            if self.d.u64[64 // 8] == self.rx:
                self.wait()

    # ---- sending ----

    def room(self, need):
        """Until there are so many bytes free."""
        while RING - (self.tx - self.d.u64[128 // 8]) < need:
            cons = self.d.u64[128 // 8]
            self.c.u64[192 // 8] = cons + need - 1
            fence()
            if self.d.u64[128 // 8] - cons < need:
                self.wait()
                try:
                    os.read(self.bell, 4096)
                except BlockingIOError:
                    pass

    def put(self, endpoint, dst, ethertype, payload):
        """One record; nobody sees it before publish()."""
        size = 16 + 8 + len(payload)
        padded, tail = (size + 15) // 16 * 16, RING - self.tx % RING
        self.room(padded + (tail if padded > tail else 0))
        if padded > tail:
            struct.pack_into("=IBBHII", self.c.ring, self.tx % RING, tail, 1, 0, 0, 0, 0)
            self.tx += tail
        at = self.tx % RING
        head = struct.pack("=IBBHII", size, 3, 0, 8, endpoint["id"], endpoint["generation"])
        self.c.ring[at : at + size] = head + dst + struct.pack("=H", ethertype) + payload
        self.tx += padded

    def publish(self):
        old = self.c.u64[64 // 8]
        self.c.u64[64 // 8] = self.tx
        fence()
        wake_at, mask = self.d.u64[136 // 8], (1 << 64) - 1
        if (self.tx - wake_at - 1) & mask < (self.tx - old) & mask:
            os.write(self.daemon_bell, b"\0")


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ping(number):
    icmp = struct.pack("!BBHHH", 8, 0, 0, 7, number) + bytes(number % 251 for _ in range(1200))
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0, OWN, PEER)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + icmp


def frame_body(aux, frame):
    """EtherType and layer 3, as the auxiliary data says; and the tag must be in the frame."""
    _, ethertype, l3_len, _, _, info = struct.unpack("=QHHHBB", aux[:16])
    assert frame[:6] == MAC and frame[12:16] == b"\x81\x00\x00\x64", frame[:18].hex()
    return ethertype, frame[info >> 3 : (info >> 3) + l3_len]


def resolve(client, endpoint):
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, MAC, OWN, bytes(6), PEER)
    client.put(endpoint, b"\xff" * 6, 0x806, arp)
    client.publish()
    while True:
        for aux, frame in client.receive():
            ethertype, body = frame_body(aux, frame)
            if ethertype == 0x806 and body[6:8] == b"\0\2" and body[14:18] == PEER:
                return body[8:14]


class Counters:
    """The memory of counters, and the rows in it."""

    def __init__(self, client):
        reply = client.ask({"request": "counters"})
        assert reply == {"reply": "counters", "version": 1} and len(client.fds) == 1, reply
        self.map = mmap.mmap(client.fds[0], os.fstat(client.fds[0]).st_size, mmap.MAP_SHARED,
                             mmap.PROT_READ)
        assert (self.u32(0), self.u32(4), self.u32(12)) == (0x6574636e, 1, 6), "head"
        self.of_relay, self.relays, self.clients = self.u32(8), self.u32(16), self.u32(20)

    def u32(self, offset):
        return struct.unpack_from("=I", self.map, offset)[0]

    def u64(self, offset, n=1):
        return list(struct.unpack_from("=%dQ" % n, self.map, offset))

    def relay(self, row):
        """Counters, and endpoints behind them."""
        at = PAGE + 256 * row
        while True:
            before, found = self.u64(at), self.u64(at + 8, self.of_relay + 1)
            if before[0] % 2 == 0 and self.u64(at) == before:
                return found

    def client(self, number):
        """Six counters, bytes of the ring, endpoints, refusals."""
        for row in range(self.u32(64)):
            at = PAGE + 256 * self.relays + 128 * row
            if self.u32(at + 48) == number:
                return self.u64(at, 6) + [self.u32(at + 52)] + self.u64(at + 56, 2)

    def endpoint(self, client, number):
        chunks = -(-(PAGE + 256 * self.relays + 128 * self.clients) // 4096) * 4096
        for row in range(self.u32(68)):
            at = chunks + row // 2048 * 2 * 2048 * 32 + row % 2048 * 32
            if self.u64(at + 24)[0] == client << 32 | number:
                return self.u64(at, 3) + self.u64(at + 2048 * 32, 3)


ENDPOINT_COUNTERS = ("rx", "rx_bytes", "rx_buffer_full", "tx", "tx_bytes", "tx_dropped")


def check_counters(client, endpoint):
    """What one reads is what one is told; frames that come between the two are let pass."""
    memory = Counters(client)
    for _ in range(100):
        lists = {what: client.ask({"request": "show", "what": what})["items"]
                 for what in ("relays", "clients", "endpoints")}
        relay, it, ep = lists["relays"][0], lists["clients"][0], lists["endpoints"][0]
        of_client = [it["counters"].get(name, 0) for name in ENDPOINT_COUNTERS]
        of_endpoint = [ep["counters"].get(name, 0) for name in ENDPOINT_COUNTERS]
        told = (list(filter(None, relay["counters"].values())), 1, of_client + [1, 0], of_endpoint)
        *of_relay, endpoints = memory.relay(0)
        row = memory.client(it["id"])
        read = (list(filter(None, of_relay)), endpoints, row[:6] + row[7:],
                memory.endpoint(it["id"], endpoint["id"]))
        if read == told:
            break
    assert read == told, (read, told)
    assert it["pid"] == os.getpid() and memory.u64(88) == [1] and memory.u64(96) == [0]
    assert client.ask({"request": "counters"})["error"] == "EALREADY"
    changed = memory.u64(72, 2)
    assert client.ask({"request": "close", "ids": [endpoint["id"]]})["closed"] == 1
    assert memory.u64(72)[0] == changed[0] and memory.u64(80)[0] > changed[1], "changes"
    assert memory.endpoint(it["id"], endpoint["id"]) is None and memory.relay(0)[-1] == 0
    print("counters", row[3])


def main(path, count):
    client = Client(path)
    bad = client.ask({"request": "open", "endpoints": [], "nonsense": 1})
    assert bad["error"] == "EINVAL" and "nonsense" in bad["text"], bad
    reply = client.ask({"request": "open", "endpoints": [
        {"l2": MAC.hex(":"), "vlans": [{"id": 100}], "ethertypes": [0x800, 0x806]}]})
    endpoint = reply["endpoints"][0]
    assert endpoint["payload_max"] == 1500, reply
    print("open")
    peer = resolve(client, endpoint)
    print("arp", peer.hex(":"))
    answered = set()
    for first in range(0, count, 8):
        wanted = set(range(first, min(first + 8, count)))
        for number in sorted(wanted):
            client.put(endpoint, peer, 0x800, ping(number))
        client.publish()
        while not wanted <= answered:
            for aux, frame in client.receive():
                ethertype, body = frame_body(aux, frame)
                if ethertype == 0x800 and body[9] == 1 and body[20] == 0:
                    number = struct.unpack_from("!H", body, 26)[0]
                    assert body[28:] == bytes(number % 251 for _ in range(1200)), number
                    answered.add(number)
    print("pings", len(answered))
    check_counters(client, endpoint)


main(sys.argv[1], int(sys.argv[2]))
