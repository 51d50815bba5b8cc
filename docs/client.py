#!/usr/bin/env python3
"""A client of the native protocol in 80 lines: client.py HOST PORT [COUNT]. See protocol.md."""

import os
import socket
import struct
import sys
import time

HELLO, COOKIE, OPEN, ACCEPT, DENY, PROBE, REPLY = range(1, 8)
QUERY, OUTCOMES, CLOSE = 9, 10, 13
STATUS = ["lost up", "lost down", "dropped up (injected)", "dropped down (injected)", "refused", "held",
          "not sent by the server", "forgotten"]
SIZE, INTERVAL, DEADLINE = 64, 0.01, 1.0


def message(kind, number, body=b"", length=0):
    return (struct.pack("!HBBQ", 0xF575, 0x10, kind, number) + body).ljust(length, b"\0")


def receive(sock, seconds):
    """The next message as kind, id, datagram and arrival; None after so many seconds."""
    sock.settimeout(max(seconds, 0.0001))
    try:
        datagram = sock.recv(65535)
    except socket.timeout:
        return None
    if len(datagram) < 12 or datagram[:2] != b"\xf5\x75" or datagram[2] >> 4 != 1:
        return None
    return datagram[3], struct.unpack_from("!Q", datagram, 4)[0], datagram, time.monotonic_ns()


def ask(sock, request, number, kinds):
    for wait in [0.2, 0.4, 0.8, 1, 1]:
        sock.send(request)
        answer = receive(sock, wait)
        if answer and answer[0] in kinds and answer[1] == number:
            return answer[0], answer[2]
    sys.exit("no answer")


def main(host, port, count=10):
    family, kind, proto, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    sock = socket.socket(family, kind, proto)
    sock.connect(address)
    nonce = int.from_bytes(os.urandom(8), "big")
    _, cookie = ask(sock, message(HELLO, nonce, length=28), nonce, [COOKIE])
    body = cookie[12:28] + struct.pack("!IIIQH", SIZE, 4096, 60, 0, 0)
    kind, accept = ask(sock, message(OPEN, nonce, body, max(SIZE, 306)), nonce, [ACCEPT, DENY])
    if kind == DENY:
        sys.exit("denied, reason %d" % accept[12])
    token, = struct.unpack_from("!Q", accept, 12)
    length, = struct.unpack_from("!H", accept, 60)
    print("the server injects:", accept[62:62 + length].decode())
    sent, answered = {}, set()
    for seq in range(int(count)):
        sent[seq] = time.monotonic_ns()
        sock.send(message(PROBE, token, struct.pack("!QQ", seq, sent[seq]), SIZE))
        until = time.monotonic() + (INTERVAL if seq + 1 < int(count) else DEADLINE)
        while time.monotonic() < until:
            answer = receive(sock, until - time.monotonic())
            if not answer or answer[0] != REPLY or answer[1] != token:
                continue
            number, leaves = struct.unpack_from("!QQ", answer[2], 12)
            if sent.get(number) != leaves or number in answered:
                continue
            answered.add(number)
            residence = int.from_bytes(answer[2][36:42], "big")
            rtt = answer[3] - leaves
            print("seq=%d rtt=%.3f ms, at the server %.3f ms" % (number, rtt / 1e6, residence / 1e6))
    first = struct.pack("!IQH", 1, 0, len(sent))
    _, outcomes = ask(sock, message(QUERY, token, first, 34 + (len(sent) + 1) // 2), token, [OUTCOMES])
    for seq in sorted(set(sent) - answered):
        byte = outcomes[34 + seq // 2]
        print("seq=%d %s" % (seq, STATUS[(byte >> 4 if seq % 2 == 0 else byte) & 7]))
    sock.send(message(CLOSE, token))


if __name__ == "__main__":
    main(*sys.argv[1:])
