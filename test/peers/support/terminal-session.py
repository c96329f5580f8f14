# A person at a terminal. Reads one JSON object from standard input: the command, and steps of [text to wait for, keys to
# press]. Runs the command on a pseudo-terminal and writes as JSON: what the terminal showed, the exit status, how many
# steps were not reached, and whether the terminal echoes keys again at the end.
import fcntl
import json
import os
import select
import sys
import termios
import time

task = json.load(sys.stdin)
# The command's end stays open here too, so that the terminal can be asked for its state after the command has ended.
keyboard, terminal = os.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(terminal, fd)
    os.execvp(task["command"][0], task["command"])


def echoes():
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


shown = b""
read_to = 0
steps = task["steps"]
status = None
deadline = time.monotonic() + 60
while True:
    if select.select([keyboard], [], [], 0.02)[0]:
        shown += os.read(keyboard, 4096)
    elif status is not None:
        break
    elif steps and shown.find(steps[0][0].encode(), read_to) >= 0 and not echoes():
        text, keys = steps.pop(0)
        read_to = shown.find(text.encode(), read_to) + len(text.encode())
        os.write(keyboard, keys.encode())
    else:
        ended, raw = os.waitpid(pid, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(raw)
    if time.monotonic() > deadline:
        os.kill(pid, 9)
        sys.exit("still running; the terminal showed: " + repr(shown))

json.dump({"shown": shown.decode(), "exitCode": status, "stepsLeft": len(steps), "echoes": echoes()}, sys.stdout)
