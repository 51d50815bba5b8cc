"""A TWAMP server in open mode: one client, one session, a reflector that numbers its replies (RFC 5357)."""
import socket, struct, time

def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        assert more, "the client is gone"
        data += more
    return data

def now():
    nanos = time.time_ns()
    return struct.pack("!II", nanos // 10**9 + 2208988800 & 0xFFFFFFFF, (nanos % 10**9 << 32) // 10**9)

listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1])
client, _ = listener.accept()
client.sendall(bytes(12) + struct.pack("!I", 1) + bytes(32) + struct.pack("!I", 1024) + bytes(12))
assert struct.unpack("!I", exactly(client, 164)[:4])[0] == 1
client.sendall(bytes(15) + b"\0" + bytes(16) + now() + bytes(8))
request = exactly(client, 112)
assert request[0] == 5 and request[1] == 4
sender, padding = struct.unpack("!H", request[12:14])[0], struct.unpack("!I", request[64:68])[0]
reflector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
reflector.bind(("127.0.0.1", 0))
client.sendall(struct.pack("!BBH", 0, 0, reflector.getsockname()[1]) + bytes(44))
assert exactly(client, 32)[0] == 2
client.sendall(bytes(32))
print("session from port", sender, "padding", padding)
number = 0
client.setblocking(False)
reflector.settimeout(0.05)
while True:
    try:
        packet, source = reflector.recvfrom(2048)
        received = now()
        if source[1] == sender:
            head = struct.pack("!I", number) + now() + b"\0\1\0\0" + received
            reply = head + packet[:14] + b"\0\0" + b"\xff" + bytes(3) + packet[44:]
            reflector.sendto(reply[:max(41, len(packet))], source)
            number += 1
    except socket.timeout:
        pass
    try:
        word = client.recv(32)
        print("stopped after", number, "packets" if word[:1] == b"\3" else "packets, by nothing")
        break
    except BlockingIOError:
        pass
