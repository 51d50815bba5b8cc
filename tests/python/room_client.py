"""Clients of the room as students write them: plain sockets, no ends of lines, each read is one message."""
import select
import socket
import sys
import threading
import time

BUFFER = 1024


def connect(port):
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.connect(("127.0.0.1", port))
    return client


def chat(port, words):
    """The chat window without its window: a thread receives, the main program sends what is asked for."""
    client = connect(port)
    print("greeted", repr(client.recv(BUFFER).decode("utf8")))

    def receive():
        while True:
            message = client.recv(BUFFER).decode("utf8")
            if not message:
                print("closed")
                return
            print("shown", repr(message))

    thread = threading.Thread(target=receive)
    thread.start()
    for word in words:
        # The next word is typed when the answer was read.
        input()
        client.send(bytes(word, "utf8"))
    thread.join()
    client.close()


def one_to_one(port, words):
    """Strict turns: every message is answered before the next is sent."""
    client = connect(port)
    for word in words:
        client.send(word.encode())
        print("answered", repr(client.recv(BUFFER).decode()))
    client.close()


def processes(port, words):
    """The name and a long list back to back, without waiting for anything."""
    client = connect(port)
    client.send(bytes(words[0], "utf8"))
    client.send(bytes(", ".join("process%d --> %d" % (n, n) for n in range(400)), "utf8"))
    time.sleep(0.5)
    client.close()


def messenger(port, words):
    """The command line's messenger: one select for the keyboard and the socket."""
    client = connect(port)
    client.send(words[0].encode())
    while True:
        ready, _, _ = select.select([sys.stdin, client], [], [])
        for source in ready:
            if source is client:
                message = client.recv(BUFFER).decode()
                if not message:
                    print("closed", flush=True)
                    return
                print("shown", repr(message), flush=True)
            else:
                client.send(sys.stdin.readline().rstrip("\n").encode())


def fetch(port, words):
    """The file client: the word, one recv for the verdict, then the file until the end."""
    client = connect(port)
    client.send(words[0].encode())
    print("verdict", client.recv(BUFFER).decode())
    received = b""
    while True:
        part = client.recv(BUFFER)
        if not part:
            break
        received += part
    print("received", len(received), sum(received))
    client.close()


def relay(port, words):
    """The relay's client: a datagram for each line of the keyboard, whatever comes is shown."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for word in words:
        client.sendto(word.encode(), ("127.0.0.1", port))
        answer, _ = client.recvfrom(BUFFER)
        print("answered", answer.decode(), flush=True)
    print("shown", client.recvfrom(BUFFER)[0].decode(), flush=True)


CLIENTS = {"chat": chat, "one-to-one": one_to_one, "processes": processes, "messenger": messenger,
           "fetch": fetch, "relay": relay}
CLIENTS[sys.argv[1]](int(sys.argv[2]), sys.argv[3:])
