// flock(2), which Node does not offer. Used for the maildrop's lock (mailbox process) and while the passwd file is
// rewritten (pop3-passwd, auth). The kernel frees the lock when the descriptor closes, so a killed process leaves none.
import koffi from "koffi";

const LOCK_EX = 2;
const LOCK_NB = 4;

const flock = koffi.load(null).func("int flock(int fd, int operation)");

/**
 * Takes the exclusive advisory lock on an open file, without waiting (flock(2), LOCK_EX | LOCK_NB).
 *
 * @param fd an open file descriptor; closing it frees the lock
 * @returns true when locked, false when somebody else holds it
 * @throws Error with `code` (such as ENOLCK) when the file system cannot lock
 */
export function tryFlock(fd: number): boolean {
  for (;;) {
    if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
    const errno = koffi.errno();
    if (errno === koffi.os.errno["EWOULDBLOCK"] || errno === koffi.os.errno["EAGAIN"]) return false;
    if (errno === koffi.os.errno["EINTR"]) continue;
    const code = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
    throw Object.assign(new Error(`flock: ${code}`), { code });
  }
}
