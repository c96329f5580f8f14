// What MTAs ask and read: the socketmap, and the files of mta.postfix_maps, as the passwd file changes under the server.
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findUser } from "../../src/host/user-database.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { authUser, startServer, type TestServer } from "../support/server.ts";

const owner = mailOwner();
let folder: string;
let maps: string;
let server: TestServer;
const passwdFile = (): string => join(server.folder, "passwd");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-mta-maps-"));
  chmodSync(folder, 0o755);
  maps = join(folder, "maps");
  server = await startServer({
    accounts: [{ user: "mrose@example.org", password: "secret", uid: 1, gid: 1, home: "/home/mrose" }],
    owner,
    settings: {
      mta: {
        // One for each MTA, as Postfix's chroot and Exim have them.
        socketmap_socket: [join(folder, "map"), { path: join(folder, "open-map"), mode: "0666" }],
        postfix_maps: { folder: maps, type: "texthash" },
      },
      log: { level: "debug" },
    },
  });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

function ask(request: string, name = "map"): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(folder, name));
    let said = "";
    socket.on("data", (octets: Buffer) => {
      said += octets.toString();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(said.replace(/^\d+:|,$/g, "")));
    socket.end(`${Buffer.byteLength(request)}:${request},`);
  });
}

const written = (): number => server.log().filter(({ msg }) => msg === "Postfix maps written").length;
const mailboxes = (): string => readFileSync(join(maps, "mailboxes"), "utf8").replace(/^#.*\n/, "");

describe("mta.postfix_maps", () => {
  it("tells in the log of a folder that is not there, and writes once it is and something changes", async () => {
    const fault = await eventually("the fault", () =>
      server.log().find(({ msg }) => msg === "Postfix maps cannot be written, the old ones stay"),
    );
    expect(fault["reason"]).toMatch(/maps is not there, make it with: install -d /);
    mkdirSync(maps);
    if (runsAsRoot()) chownSync(maps, findUser(authUser)!.uid, -1);
    writeFileSync(passwdFile(), `${readFileSync(passwdFile(), "utf8")}grace@example.org::::::`);
    await eventually("the maps", () => existsSync(join(maps, "mailboxes")));
    expect(mailboxes()).toBe("mrose@example.org /home/mrose/Maildir/\n");
    expect(readFileSync(join(maps, "uids"), "utf8")).toContain(`mrose@example.org ${owner.uid}\n`);
    const leftOut = await eventually("who is left out", () =>
      server.log().find(({ msg }) => msg === "accounts left out of the Postfix maps"),
    );
    expect(leftOut["first"]).toEqual([expect.stringMatching(/^line 2: .*no absolute home/)]);
  });

  it("follows the file, and leaves the maps alone when only a password changes", async () => {
    const lines = "mrose@example.org:{PLAIN}a::::/home/mrose\ngrace@example.org:{PLAIN}a::::/home/grace\n";
    writeFileSync(passwdFile(), lines);
    await eventually("grace's line", () => mailboxes().includes("grace@example.org /home/grace/Maildir/\n"));
    await eventually("told in the log", () => written() === 2);
    writeFileSync(passwdFile(), lines.replaceAll("{PLAIN}a", "{PLAIN}b"));
    await eventually(
      "a look at what changed",
      () => server.log().at(-1)?.msg === "Postfix maps are as they were",
    );
    writeFileSync(passwdFile(), lines.replace(/^grace.*\n/m, ""));
    await eventually("grace gone", () => mailboxes() === "mrose@example.org /home/mrose/Maildir/\n");
    await eventually("told in the log", () => written() === 3);
  });
});

describe("mta.socketmap_socket", () => {
  it("opens each of several sockets to whom it is for", async () => {
    const modeOf = (name: string): number => statSync(join(folder, name)).mode & 0o777;
    expect([modeOf("map"), modeOf("open-map")]).toEqual([0o660, 0o666]);
    for (const name of ["map", "open-map"]) {
      expect(await ask("recipient mrose@example.org", name)).toBe("OK OK");
    }
  });

  it("answers as the file is now, without waiting for its watcher", async () => {
    expect(await ask("recipient hopper@example.org")).toBe("NOTFOUND ");
    writeFileSync(
      passwdFile(),
      "mrose@example.org:x::::/home/mrose\nhopper@example.org:!x::::/home/hopper\n",
    );
    expect(await ask("recipient hopper@example.org")).toBe("OK OK");
    expect(await ask("mailbox Hopper@example.org")).toBe("OK /home/hopper/Maildir/");
    expect(await ask("uid hopper@example.org")).toBe(`OK ${owner.uid}`);
    expect(await ask("nonsense hopper@example.org")).toMatch(/^PERM no such map/);
  });

  it("while the file cannot be read, keeps whom it knows and takes nobody else for unknown", async () => {
    renameSync(passwdFile(), `${passwdFile()}.away`);
    expect(await ask("recipient hopper@example.org")).toBe("OK OK");
    expect(await ask("recipient nobody@example.org")).toBe("TEMP the passwd file cannot be read");
    renameSync(`${passwdFile()}.away`, passwdFile());
    expect(await ask("recipient nobody@example.org")).toBe("NOTFOUND ");
  });
});

it("a reload takes other local domains and another folder for the maps", async () => {
  writeFileSync(passwdFile(), "carol:x::::/home/carol\n");
  await eventually("carol left out", () => mailboxes() === "");
  expect(await ask("recipient carol@example.org")).toBe("NOTFOUND ");
  const other = join(folder, "other-maps");
  mkdirSync(other);
  if (runsAsRoot()) chownSync(other, findUser(authUser)!.uid, -1);
  const config = join(server.folder, "config.toml");
  const text = readFileSync(config, "utf8");
  writeFileSync(
    config,
    text.replace(maps, other).replace("[mta]\n", '[mta]\nlocal_domains = ["Example.org"]\n'),
  );
  process.kill(server.pid, "SIGHUP");
  await eventually("the maps in the other folder", () => existsSync(join(other, "mailboxes")));
  expect(readFileSync(join(other, "mailboxes"), "utf8")).toContain(
    "carol@example.org /home/carol/Maildir/\n",
  );
  expect(await ask("recipient carol@example.org")).toBe("OK OK");
});
