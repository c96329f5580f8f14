# Python's poplib as a client. Reads one JSON object from standard input: port, user, password, and what to do with
# the messages (delete: true or false), utf8: true to say UTF8, lang for LANG, which poplib has no method for. Writes what it saw
# as JSON, message lines in base64.
import base64
import json
import poplib
import sys

task = json.load(sys.stdin)


def encoded(lines):
    return [base64.b64encode(line).decode() for line in lines]


connection = poplib.POP3("127.0.0.1", task["port"], timeout=60)
seen = {"capa": sorted(connection.capa())}
if task.get("utf8"):
    connection.utf8()
if task.get("lang"):
    seen["lang"] = connection._shortcmd(f"LANG {task['lang']}").decode()
connection.user(task["user"])
connection.pass_(task["password"])
seen["stat"] = connection.stat()
seen["list"] = [line.decode() for line in connection.list()[1]]
seen["uidl"] = [line.decode() for line in connection.uidl()[1]]
seen["messages"] = []
for number in range(1, seen["stat"][0] + 1):
    seen["messages"].append(
        {
            "list": connection.list(number).decode(),
            "uidl": connection.uidl(number).decode(),
            "header": encoded(connection.top(number, 0)[1]),
            "top": encoded(connection.top(number, 2)[1]),
            "whole": encoded(connection.retr(number)[1]),
        }
    )
connection.noop()
try:
    connection.retr(seen["stat"][0] + 1)
    seen["error"] = None
except poplib.error_proto as error:
    seen["error"] = error.args[0].decode()
connection.dele(1)
connection.rset()
seen["stat_after_rset"] = connection.stat()
if task["delete"]:
    for number in range(1, seen["stat"][0] + 1):
        connection.dele(number)
seen["quit"] = connection.quit().decode()
json.dump(seen, sys.stdout)
