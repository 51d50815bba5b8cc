"""Drives a proxy through toxiproxy-python, as a test suite would: PORT of the interface, PORT of an echo server."""

import socket
import sys
import time

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

api, echo = int(sys.argv[1]), "127.0.0.1:" + sys.argv[2]
server = Toxiproxy()
server.update_api_consumer("127.0.0.1", api)


def ask(proxy, seconds=20.0, payload=b"hello"):
    """The time of one exchange; None without an answer; raises ConnectionRefusedError."""
    host, port = proxy.listen.rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((host, int(port)))
        client.settimeout(seconds)
        began = time.monotonic()
        client.send(payload)
        try:
            assert client.recv(2048) == payload
        except TimeoutError:
            return None
        return time.monotonic() - began


def refused(error, call):
    try:
        call()
    except error as why:
        return str(why)
    raise AssertionError("it is not refused")


assert server.running() and b"2.12.0" in server.version()
given = sorted(server.proxies())
assert given == ["m1"], given

# Create, read, refuse a second of that name, delete.
proxy = server.create(upstream=echo, name="echo")
assert proxy.enabled and proxy.upstream == echo and not proxy.listen.endswith(":0"), vars(proxy)
assert ask(proxy) is not None
refused(ProxyExists, lambda: server.create(upstream=echo, name="echo"))
refused(InvalidToxic, lambda: proxy.add_toxic(type="slicer"))
assert "UDP has no connection" in refused(InvalidToxic, lambda: proxy.add_toxic(type="reset_peer"))

# Latency, both ways.
proxy.add_toxic(type="latency", attributes={"latency": 150})
proxy.add_toxic(type="latency", stream="upstream", attributes={"latency": 150})
assert ask(proxy) >= 0.3
assert sorted(proxy.toxics()) == ["latency_downstream", "latency_upstream"]
assert proxy.get_toxic("latency_upstream").attributes == {"latency": 150, "jitter": 0}
assert proxy.destroy_toxic("latency_upstream")
refused(NotFound, lambda: proxy.destroy_toxic("latency_upstream"))

# Nothing passes; then everything again.
proxy.add_toxic(type="timeout", name="silence", attributes={"timeout": 0})
assert ask(proxy, seconds=0.5) is None
assert server.reset() and proxy.toxics() == {}
assert ask(proxy) is not None

# After ten bytes of a flow nothing passes.
proxy.add_toxic(type="limit_data", stream="upstream", attributes={"bytes": 10})
assert ask(proxy, payload=b"0123456789") is not None
assert ask(proxy, seconds=0.5, payload=b"0123456789a") is None
proxy.destroy_toxic("limit_data_upstream")

# Down: the port is closed, and open again at the same number.
listen = proxy.listen
with proxy.down():
    refused(ConnectionRefusedError, lambda: ask(proxy))
    assert not server.get_proxy("echo").enabled
assert server.get_proxy("echo").enabled and server.get_proxy("echo").listen == listen
assert ask(proxy) is not None

# A share of the flows.
proxy.add_toxic(type="packet_loss", toxicity=0.0, attributes={"loss_rate": 1.0})
assert ask(proxy) is not None

# A list: the same stays, another one is made.
made = server.populate([
    {"name": "echo", "upstream": echo, "listen": listen},
    {"name": "other", "upstream": echo, "listen": "127.0.0.1:0"},
])
assert [proxy.name for proxy in made] == ["other"]
assert "packet_loss_downstream" in server.get_proxy("echo").toxics()
server.destroy_all()
assert server.proxies() == {}
print("all of it works")
