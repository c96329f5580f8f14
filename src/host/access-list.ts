// POSIX access control lists (acl(5)), which Node does not offer. Used while the passwd file is rewritten (pop3-passwd), so that a
// program that reads it by "setfacl -m u:Debian-exim:r" still may afterwards.
import koffi from "koffi";

/**
 * Gives one open file the access list of another; without one there, takes away what a folder's default list gave it.
 *
 * @throws Error with `code` (such as ENOSPC) when that cannot be done
 */
export function copyAccessList(fromFd: number, toFd: number): void {
  const list = Buffer.alloc(MAX_LIST_BYTES);
  const length = Number(fgetxattr(fromFd, ATTRIBUTE, list, list.length));
  if (length < 0) {
    if (!isWithoutList()) throw systemError("fgetxattr");
    if (fremovexattr(toFd, ATTRIBUTE) !== 0 && !isWithoutList()) throw systemError("fremovexattr");
    return;
  }
  if (fsetxattr(toFd, ATTRIBUTE, list, length, 0) !== 0) throw systemError("fsetxattr");
}

const ATTRIBUTE = "system.posix_acl_access";
// xattr(7): no value is longer.
const MAX_LIST_BYTES = 65_536;
// None on this file, or none possible on this file system.
const NO_LIST = ["ENODATA", "ENOTSUP", "EOPNOTSUPP"];

const libc = koffi.load(null);
const fgetxattr = libc.func(
  "intptr_t fgetxattr(int fd, const char *name, _Out_ uint8_t *value, size_t size)",
);
const fsetxattr = libc.func(
  "int fsetxattr(int fd, const char *name, const uint8_t *value, size_t size, int flags)",
);
const fremovexattr = libc.func("int fremovexattr(int fd, const char *name)");

function isWithoutList(): boolean {
  const errno = koffi.errno();
  return NO_LIST.some((code) => koffi.os.errno[code] === errno);
}

function systemError(call: string): Error {
  const errno = koffi.errno();
  const code = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
  return Object.assign(new Error(`${call}: ${code}`), { code });
}
