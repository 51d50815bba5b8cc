"""The client of the classic exercise: calibrate, send, count, exit.

usage: student_client.py PORT SIZE COUNT TIMEOUT [exit]
"""
import socket
import sys

port, size, count, timeout = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
server = ("127.0.0.1", port)
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(10)

client.sendto(f"C {size}".encode(), server)
print(client.recvfrom(1024)[0].decode())

client.settimeout(timeout)
lost = 0
for number in range(count):
    client.sendto(b"x" * size, server)
    try:
        reply = client.recvfrom(1024)[0].decode()
        assert reply == "Packet Acknowledged", reply
    except socket.timeout:
        lost += 1
print(f"lost {lost} of {count}")

if "exit" in sys.argv[5:]:
    client.settimeout(10)
    client.sendto(b"exit", server)
    print(client.recvfrom(1024)[0].decode())
