import { closeSync, fchmodSync, fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyAccessList } from "../../src/host/access-list.ts";

const libc = koffi.load(null);
const fsetxattr = libc.func(
  "int fsetxattr(int fd, const char *name, const uint8_t *value, size_t size, int flags)",
);
const fgetxattr = libc.func(
  "intptr_t fgetxattr(int fd, const char *name, _Out_ uint8_t *value, size_t size)",
);

// linux/posix_acl_xattr.h: version 2, then tag, permissions and id of each entry. "setfacl -m u:12345:r" on mode 0640.
const NOBODY = 0xffff_ffff;
const LIST = Buffer.alloc(4 + 5 * 8);
LIST.writeUInt32LE(2);
for (const [index, [tag, permissions, id]] of [
  [0x01, 6, NOBODY],
  [0x02, 4, 12345],
  [0x04, 4, NOBODY],
  [0x10, 4, NOBODY],
  [0x20, 0, NOBODY],
].entries()) {
  LIST.writeUInt16LE(tag!, 4 + 8 * index);
  LIST.writeUInt16LE(permissions!, 6 + 8 * index);
  LIST.writeUInt32LE(id!, 8 + 8 * index);
}

let folder: string;
let from: number;
let to: number;
/** What the file system of the temporary folder can do is not ours to choose. */
let hasLists: boolean;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pop3-access-list-"));
  from = openSync(join(folder, "from"), "w", 0o640);
  to = openSync(join(folder, "to"), "w", 0o600);
  const probe = openSync(join(folder, "probe"), "w");
  hasLists = setList(probe);
  closeSync(probe);
});
afterEach(() => {
  closeSync(from);
  closeSync(to);
  rmSync(folder, { recursive: true, force: true });
});

const setList = (fd: number): boolean => fsetxattr(fd, "system.posix_acl_access", LIST, LIST.length, 0) === 0;

function listOf(fd: number): string | undefined {
  const list = Buffer.alloc(1024);
  const length = Number(fgetxattr(fd, "system.posix_acl_access", list, list.length));
  return length < 0 ? undefined : list.toString("hex", 0, length);
}

describe("copyAccessList", () => {
  it("copies the list, which a chmod to the same mode keeps", () => {
    setList(from);
    copyAccessList(from, to);
    fchmodSync(to, 0o640);
    expect(listOf(to)).toBe(hasLists ? LIST.toString("hex") : undefined);
  });

  it("takes away what the folder's default list gave, where the other file has none", () => {
    setList(to);
    copyAccessList(from, to);
    fchmodSync(to, 0o600);
    expect(listOf(to)).toBeUndefined();
    expect(fstatSync(to).mode & 0o777).toBe(0o600);
  });

  it("names the code of what failed", () => {
    expect(() => copyAccessList(-1, to)).toThrow(expect.objectContaining({ code: "EBADF" }));
  });
});
