"""The server of the classic exercise. It knows the text dialect and nothing else; of three packets it
leaves the last unanswered.
"""
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
print(f"port {server.getsockname()[1]}", flush=True)

packets = 0
buffer = 1024
while True:
    message, client = server.recvfrom(buffer)
    if message.startswith(b"C "):
        buffer = max(1024, int(message.split()[1]))
        server.sendto(b"Buffer Size Calibrated at Server.", client)
    elif message == b"exit":
        server.sendto(b"Stopping the Server.", client)
        break
    else:
        packets += 1
        if packets % 3 != 0:
            server.sendto(b"Packet Acknowledged", client)
print(f"{packets} packets")
