"""An RFC 862 echo server in ten lines. Of every ten datagrams it leaves the tenth unanswered, sends the reply to
the fifth twice and changes a byte in the reply to the seventh; the first of all it echoes before it counts.
"""
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
print(f"port {server.getsockname()[1]}", flush=True)
count = -1
while True:
    message, client = server.recvfrom(65536)
    count += 1
    if count % 10 != 9:
        changed = message[:40] + bytes([message[40] ^ 1]) + message[41:]
        server.sendto(changed if count % 10 == 6 else message, client)
    if count % 10 == 4:
        server.sendto(message, client)
    print(f"from port {client[1]}", flush=True)
