"""A client whose network goes away without a word, in a network namespace of its own together with the server.

Usage: vanishing-client.py idle|unacknowledged PORT COMMAND...

COMMAND is the server; what it logs is passed on. Says "vanished" when the network is cut, "free" when another login to the
same maildrop has succeeded afterwards, and ends the server.
"""

import json
import socket
import subprocess
import sys

SERVER, CLIENT = "127.0.0.1", "127.0.0.2"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def login(port, source):
    client = socket.create_connection((SERVER, port), source_address=(source, 0))
    lines = client.makefile("rb")
    for command in [None, b"USER mrose\r\n", b"PASS secret\r\n"]:
        if command is not None:
            client.sendall(command)
        reply = lines.readline()
        if not reply.startswith(b"+OK"):
            raise RuntimeError(reply.decode())
    return client


def logged(server, fits):
    for line in server.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if line.startswith("{") and fits(json.loads(line)):
            return
    raise RuntimeError("the server ended")


def main():
    how, port, *command = sys.argv[1:]
    ip("link", "set", "lo", "up")
    # The table of local addresses comes first, unless it is moved: a rule can then stand before it.
    ip("rule", "add", "pref", "100", "lookup", "local")
    ip("rule", "del", "pref", "0")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        logged(server, lambda line: line["msg"] == "ready")
        client = login(int(port), CLIENT)
        ip("rule", "add", "pref", "50", "from", SERVER, "to", CLIENT, "blackhole")
        if how == "idle":
            ip("rule", "add", "pref", "51", "from", CLIENT, "to", SERVER, "blackhole")
        else:
            # The command arrives, its reply does not.
            client.sendall(b"NOOP\r\n")
        print("vanished", flush=True)
        logged(server, lambda line: line["msg"] == "session ended")
        login(int(port), SERVER).close()
        print("free", flush=True)
    finally:
        server.terminate()
        for line in server.stdout:
            sys.stdout.write(line)
        server.wait()


main()
