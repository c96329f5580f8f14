import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { storageFindings } from "../../src/doctor/check-storage.ts";

/** As the kernel prints them. */
const ROOT = "23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro";
const nfs = (options: string, at = "/var/mail") =>
  `96 23 0:52 / ${at} rw,relatime shared:50 - nfs4 192.0.2.1:/mail rw,vers=4.2,rsize=1048576,hard,proto=tcp,${options},addr=192.0.2.1`;

function check(mounts: readonly string[], lock: "flock" | "dotlock" | "none", shared_storage: boolean) {
  const paths = ["/var/mail/example.org/mrose/Maildir", "/var/mail/example.org/jpostel/Maildir"];
  return storageFindings(paths, mounts.join("\n"), { lock, shared_storage }).map(
    ({ level, message }) => `${level}: ${message}`,
  );
}

describe("storageFindings", () => {
  it("finds a mount well that fits the config, and tells it once for all accounts", () => {
    expect(check([ROOT], "flock", false)).toEqual(['ok: / (ext4) fits mail.lock = "flock"']);
    expect(check([ROOT, nfs("local_lock=none")], "flock", true)).toEqual([
      'ok: /var/mail (nfs4) fits mail.lock = "flock"',
    ]);
    expect(check([ROOT, nfs("local_lock=all")], "dotlock", true)).toEqual([
      'ok: /var/mail (nfs4) fits mail.lock = "dotlock"',
    ]);
  });

  it.each(["local_lock=flock", "local_lock=all", "nolock"])(
    "names NFS whose locks stay on this host: %s",
    (option) => {
      expect(check([ROOT, nfs(option)], "flock", true)).toEqual([
        `error: /var/mail (nfs4) is mounted with ${option}: mail.lock = "flock" holds within this host alone`,
      ]);
    },
  );

  it("names soft mounts, and shared storage that is not said to be, or is said where there is none", () => {
    expect(check([ROOT, nfs("soft,local_lock=none")], "flock", false)).toEqual([
      "warning: /var/mail (nfs4) is mounted with soft: what the server is slow to take may be lost",
      "note: /var/mail is nfs4, and mail.shared_storage is false",
    ]);
    expect(check([ROOT], "flock", true)).toEqual([
      expect.stringMatching(/^note: \/ is ext4, which other hosts/),
    ]);
    expect(check([ROOT, nfs("local_lock=none")], "none", true)).toEqual([
      expect.stringMatching(/^warning: mail\.lock is "none"/),
    ]);
  });

  it("names a mount that is read-only for the server, as the unit has all that it does not name", () => {
    const readOnly = ROOT.replace(" rw,relatime shared", " ro,relatime shared");
    const mail = "97 23 8:1 /var/mail /var/mail rw,relatime shared:1 - ext4 /dev/sda1 rw";
    expect(check([readOnly, mail], "flock", false)).toEqual([
      'ok: /var/mail (ext4) fits mail.lock = "flock"',
    ]);
    expect(check([readOnly], "flock", false)).toEqual([
      "error: /var/mail/example.org/jpostel/Maildir is on /, which is read-only for the server: nobody can log in there",
    ]);
  });

  it("takes the innermost mount, whatever its name", () => {
    expect(check([ROOT, nfs("nolock", "/var"), nfs("nolock", "/var/mail\\040old")], "flock", true)).toEqual([
      expect.stringMatching(/^error: \/var \(nfs4\)/),
    ]);
  });

  it("reads this host's own mounts", () => {
    const found = storageFindings(["/nowhere/Maildir"], readFileSync("/proc/self/mountinfo", "latin1"), {
      lock: "flock",
      shared_storage: false,
    });
    expect(found).toHaveLength(1);
    expect(found[0]!.message).toMatch(/^\/ \(|^\/ is /);
  });
});
