// Owners of Maildirs who would like to read or remove what is another's, by way of the server. A mailbox process runs as
// the mail's owner, so that the kernel says no; and what is no regular file is not served even where the kernel would say
// yes. With two users of their own when run as root; what one user can do alone is tested as whoever runs the tests.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { type MailOwner, mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { maildirSession, type SessionOutcome, type SessionRequest } from "./support/maildir-session.ts";

const SECRET = "Subject: secret\n\nfor the victim alone\n";
const DAY_MS = 86_400_000;

interface Scene {
  readonly attacker: MailOwner;
  readonly victim: MailOwner;
  readonly maildir: string;
  readonly victimMaildir: string;
  /** Relative to the attacker's Maildir; the attacker's own. */
  own(path: string): string;
}

function setScene(attacker: MailOwner, victim: MailOwner): Scene {
  const folder = mkdtempSync(join(tmpdir(), "dewey-hostile-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const message = Buffer.from("Subject: own\n\nown\n");
  const maildir = layOutMaildir(join(folder, "attacker"), attacker, new Map([["cur/1.own:2,S", message]]));
  const victimMaildir = layOutMaildir(
    join(folder, "victim"),
    victim,
    new Map([["cur/2.secret:2,S", Buffer.from(SECRET)]]),
  );
  const own = (path: string): string => {
    execFileSync("chown", ["-h", `${attacker.uid}:${attacker.gid}`, join(maildir, path)]);
    return join(maildir, path);
  };
  return { attacker, victim, maildir, victimMaildir, own };
}

/** Everything below a folder: names, kinds, owners, contents. */
function stateOf(path: string): string {
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const stats = lstatSync(join(path, name));
      const content = stats.isFile() ? readFileSync(join(path, name), "utf8") : "";
      return `${name} ${stats.mode} ${stats.uid} ${stats.mtimeMs} ${content}`;
    })
    .join("\n");
}

/** Opens, reads and deletes all, marks all as seen, as the attacker. */
async function attack(
  scene: Scene,
  request: SessionRequest = {},
): Promise<SessionOutcome & { kind: "done" }> {
  const names = ["new", "cur"].flatMap((folder) => {
    try {
      return readdirSync(join(scene.maildir, folder)).map((name) => name.split(":")[0]!);
    } catch {
      return [];
    }
  });
  const user = runsAsRoot() ? scene.attacker : undefined;
  const outcome = await maildirSession(scene.maildir, { deleted: names, retrieved: names, ...request }, user);
  if (outcome.kind !== "done") throw new Error(JSON.stringify(outcome));
  return outcome;
}

const served = (outcome: SessionOutcome & { kind: "done" }): string[] =>
  outcome.messages.map(({ uniqueId, content, failure }) => `${uniqueId} ${failure ?? content}`);
const OWN = "1.own Subject: own\n\nown\n";

describe("what is no regular file of a Maildir", () => {
  it("is neither served nor waited for: links, FIFOs, sockets, folders", async () => {
    const scene = setScene(mailOwner(), mailOwner());
    const { maildir, victimMaildir, own } = scene;
    symlinkSync(join(victimMaildir, "cur/2.secret:2,S"), join(maildir, "new/3.link"));
    own("new/3.link");
    execFileSync("mkfifo", [join(maildir, "new/4.fifo")]);
    own("new/4.fifo");
    mkdirSync(join(maildir, "cur/5.folder:2,S"));
    own("cur/5.folder:2,S");
    const socket = createServer().listen(join(maildir, "cur/6.socket"));
    onTestFinished(() => void socket.close());
    for (const name of ["dewey-pop3.index", "maildirsize", "dovecot-uidlist", "courierpop3dsizelist"]) {
      execFileSync("mkfifo", [join(maildir, name)]);
      own(name);
    }
    const before = stateOf(victimMaildir);
    const outcome = await attack(scene);
    expect(served(outcome)).toEqual([OWN]);
    expect(stateOf(victimMaildir)).toBe(before);
    expect(readdirSync(join(maildir, "new"))).toEqual(["3.link", "4.fifo"]);
  });

  it("is not followed where files of ours belong: lock, index, maildirsize, tmp, .dewey-deleted", async () => {
    const scene = setScene(mailOwner(), mailOwner());
    const { maildir, victimMaildir, own } = scene;
    const precious = join(victimMaildir, "precious");
    writeFileSync(precious, "10S,0C\n");
    chownSync(precious, scene.victim.uid, scene.victim.gid);
    for (const name of ["dewey-pop3.lock", "dewey-pop3.index", "maildirsize"]) {
      symlinkSync(precious, join(maildir, name));
      own(name);
    }
    rmSync(join(maildir, "tmp"), { recursive: true });
    symlinkSync(join(victimMaildir, "cur"), join(maildir, "tmp"));
    own("tmp");
    execFileSync("touch", ["-h", "-d", "50 hours ago", join(victimMaildir, "cur/2.secret:2,S")]);
    symlinkSync(victimMaildir, join(maildir, ".dewey-deleted"));
    own(".dewey-deleted");
    const outcome = await attack(scene, { keepDeletedMs: DAY_MS });
    expect(served(outcome)).toEqual([OWN]);
    expect(outcome.result.failed).toHaveLength(1);
    expect(readFileSync(precious, "utf8")).toBe("10S,0C\n");
    // Only what the owner could have moved in alone: nothing is gone from there.
    expect(readFileSync(join(victimMaildir, "cur/2.secret:2,S"), "utf8")).toBe(SECRET);
    expect(readdirSync(join(victimMaildir, "cur"))).toContain("2.secret:2,S");
  });
});

// Two users can be played by root alone; mailOwner() is one of them then.
describe.runIf(runsAsRoot())("another user's mail", () => {
  const attacker = mailOwner();
  const victim: MailOwner = { user: "daemon", group: "daemon", uid: 1, gid: 1 };

  it("is not read through hard links, which the kernel lets nobody open but its owner", async () => {
    const scene = setScene(attacker, victim);
    const { maildir, victimMaildir } = scene;
    linkSync(join(victimMaildir, "cur/2.secret:2,S"), join(maildir, "cur/2.secret:2,S"));
    const outcome = await attack(scene);
    expect(served(outcome)).toEqual([OWN, "2.secret EACCES"]);
    // The name in the attacker's own folder goes, the victim's stays.
    expect(readFileSync(join(victimMaildir, "cur/2.secret:2,S"), "utf8")).toBe(SECRET);
    expect(statSync(join(victimMaildir, "cur/2.secret:2,S"))).toMatchObject({ uid: 1, nlink: 1 });
  });

  it("is not counted in another's maildirsize: a hard link to it is not written to", async () => {
    const scene = setScene(attacker, victim);
    const size = join(scene.victimMaildir, "maildirsize");
    writeFileSync(size, "10S,0C\n", { mode: 0o666 });
    chmodSync(size, 0o666);
    chownSync(size, victim.uid, victim.gid);
    linkSync(size, join(scene.maildir, "maildirsize"));
    expect((await attack(scene)).result.removed).toBe(1);
    expect(readFileSync(size, "utf8")).toBe("10S,0C\n");
  });

  it.each(["cur", "new", "tmp", ".dewey-deleted"])(
    "is neither read, moved nor removed where %s is a link to the victim's folder",
    async (folder) => {
      const scene = setScene(attacker, victim);
      const { maildir, victimMaildir, own } = scene;
      execFileSync("touch", ["-d", "50 hours ago", join(victimMaildir, "cur/2.secret:2,S")]);
      rmSync(join(maildir, folder), { recursive: true, force: true });
      symlinkSync(
        folder === ".dewey-deleted" ? victimMaildir : join(victimMaildir, "cur"),
        join(maildir, folder),
      );
      own(folder);
      const before = stateOf(victimMaildir);
      const user = scene.attacker;
      const outcome = await maildirSession(
        maildir,
        { deleted: ["1.own", "2.secret"], retrieved: ["2.secret"], keepDeletedMs: 1, expireMs: DAY_MS },
        user,
      );
      expect(JSON.stringify(outcome)).not.toContain("for the victim alone");
      expect(stateOf(victimMaildir)).toBe(before);
    },
  );

  it("is not reached by a whole Maildir that is a link to the victim's", async () => {
    const scene = setScene(attacker, victim);
    renameSync(scene.maildir, `${scene.maildir}.old`);
    symlinkSync(scene.victimMaildir, scene.maildir);
    const before = stateOf(scene.victimMaildir);
    const outcome = await maildirSession(scene.maildir, { deleted: ["2.secret"] }, attacker);
    expect(outcome).toMatchObject({
      kind: "not-opened",
      opened: { kind: "failed", code: "EACCES", permanent: true },
    });
    expect(stateOf(scene.victimMaildir)).toBe(before);
  });

  it("is not reached by folders that are swapped while a session runs", async () => {
    const scene = setScene(attacker, victim);
    const { maildir, victimMaildir } = scene;
    for (let i = 0; i < 400; i++) {
      const name = join(maildir, "cur", `${i + 10}.m:2,S`);
      writeFileSync(name, "Subject: own\n\nown\n", { mode: 0o600 });
      chownSync(name, attacker.uid, attacker.gid);
      const same = join(victimMaildir, "cur", `${i + 10}.m:2,S`);
      writeFileSync(same, SECRET, { mode: 0o600 });
      chownSync(same, victim.uid, victim.gid);
    }
    symlinkSync(join(victimMaildir, "cur"), join(maildir, "link"));
    const before = stateOf(victimMaildir);
    const names = Array.from({ length: 400 }, (_, i) => `${i + 10}.m`);
    let isOver = false;
    const running = maildirSession(maildir, { deleted: names, retrieved: names }, attacker).finally(() => {
      isOver = true;
    });
    let swaps = 0;
    while (!isOver) {
      renameSync(join(maildir, "cur"), join(maildir, "away"));
      renameSync(join(maildir, "link"), join(maildir, "cur"));
      await new Promise((resolve) => setTimeout(resolve, 1));
      renameSync(join(maildir, "cur"), join(maildir, "link"));
      renameSync(join(maildir, "away"), join(maildir, "cur"));
      await new Promise((resolve) => setTimeout(resolve, 1));
      swaps++;
    }
    expect(JSON.stringify(await running)).not.toContain("for the victim alone");
    expect(stateOf(victimMaildir)).toBe(before);
    expect(swaps).toBeGreaterThan(3);
  });

  it("devices are not opened", async () => {
    const scene = setScene(attacker, victim);
    // /dev/zero, whose reading would never end.
    execFileSync("mknod", ["-m", "0666", join(scene.maildir, "new/7.device"), "c", "1", "5"]);
    expect(served(await attack(scene))).toEqual([OWN]);
  });
});
