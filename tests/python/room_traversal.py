"""A page of a room by hand, without a browser: it puts files with hostile names on the shelf.

room_traversal.py PORT TARGET: TARGET is an absolute path that no file may ever get to. Prints what the room
answers to each offer, one JSON object a line.
"""

import http.client
import io
import json
import sys
import tarfile

PORT, TARGET = int(sys.argv[1]), sys.argv[2]
CONTENT = b"evil"


def ask(method, path, body=b"", session=""):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request(method, path, body, {"X-Room-Session": session})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def member(name, content, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def archive(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def hostile_run():
    """A run that would write everywhere but into its own folder."""
    return archive(
        member("run.json", b"{}"),
        member("../evil", CONTENT),
        member("../../evil", CONTENT),
        member(TARGET, CONTENT),
        member("run.json/../../evil", CONTENT),
        member("./../evil", CONTENT),
        member("report.html", b"", tarfile.SYMTYPE, TARGET),
        member("report.html", CONTENT),
        member("probes.csv", b"", tarfile.LNKTYPE, "/etc/hostname"),
        member("sub", b"", tarfile.DIRTYPE),
        member("sub/run.json", CONTENT),
        member("x" * 5_000, CONTENT),
    )


NAMES = [
    "../../evil",
    "..\\..\\evil",
    TARGET,
    "../" * 40 + TARGET,
    "a/../../evil",
    "..",
    "../",
    ".",
    "/",
    "",
    "evil\0.txt",
    "a\0/../../evil",
    "evil\n-- bea put on the shelf: file 9",
    "%2e%2e%2fevil",
    "..\u2215..\u2215evil",
    "\u202e/../evil",
    ".bashrc",
    "~/evil",
    "-rf",
    "link",
    "folder",
    "x" * 5_000,
    "ä" * 200 + "/../evil",
]

status, entered = ask("POST", "/room/enter", json.dumps({"name": "eve"}))
assert status == 200, entered
session = json.loads(entered)["session"]
FILES = [(name, "file", CONTENT) for name in NAMES] + [(name, "run", hostile_run()) for name in ("../../run", "link")]
for name, kind, content in FILES:
    offer = json.dumps({"name": name, "kind": kind, "bytes": len(content)})
    status, answer = ask("POST", "/room/offer", offer, session)
    assert status == 200, answer
    # The ticket is the only part of a path that a member gives.
    ticket = json.loads(answer)["upload"]["ticket"]
    for forged in ("../" + ticket, "..%2f" + ticket, ticket + "%00", "%2e%2e/" + ticket, TARGET):
        status, refused = ask("PUT", "/room/files/" + forged, content, session)
        assert status >= 400, (forged, status, refused)
    status, shelved = ask("PUT", "/room/files/" + ticket, content, session)
    assert status == 200, shelved
    print(json.dumps(json.loads(shelved)), flush=True)
