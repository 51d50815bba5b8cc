"""Clients of the room as students write them: plain sockets, no ends of lines, each read is one message."""
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


{"chat": chat, "one-to-one": one_to_one, "processes": processes}[sys.argv[1]](int(sys.argv[2]), sys.argv[3:])
