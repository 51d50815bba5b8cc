"""Sends one datagram from each of many addresses of 10/8 to a proxy, and waits for it to take them.

`spoofed_sources.py ADDRESS PORT API-PORT COUNT` prints the last state of the proxy's first mapping as JSON.
"""

import json
import socket
import struct
import sys
import time
import urllib.request

AT_ONCE = 200
IP_PKTINFO = 8


def source(number):
    """Not the network of the proxy itself."""
    return socket.inet_aton(f"10.{number >> 16 & 127}.{number >> 8 & 255}.{number & 255}")


def state(api):
    with urllib.request.urlopen(f"http://127.0.0.1:{api}/api/mappings/m1") as answer:
        return json.load(answer)


def main(address, port, api, count):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    start = state(api)["up"]["arrived"]
    for begin in range(0, count, AT_ONCE):
        end = min(begin + AT_ONCE, count)
        for number in range(begin, end):
            information = struct.pack("=I4s4s", 0, source(number), bytes(4))
            sender.sendmsg([b"spoofed"], [(socket.IPPROTO_IP, IP_PKTINFO, information)], 0, (address, port))
        # Other clients are counted, too: this many have come at least.
        while state(api)["up"]["arrived"] - start < end:
            time.sleep(0.001)
    print(json.dumps(state(api)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
