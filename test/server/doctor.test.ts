// pop3-ctl doctor against a real server: well, and with the faults that a host has in practice.
import { chmodSync, chownSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../../scripts/certificate.mjs";
import type { Finding } from "../../src/doctor/finding.ts";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { runnableProgram } from "../support/checkout.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";

const { path: program, env } = runnableProgram("pop3-ctl");
const message = Buffer.from("Subject: one\n\n1\n");
let home: string;
let maildir: string;
let metrics: string;
let nginx: string;
let server: TestServer;

beforeAll(async () => {
  const owner = mailOwner();
  home = mkdtempSync(join(tmpdir(), "dewey-doctor-"));
  chmodSync(home, 0o755);
  metrics = join(home, "metrics.sock");
  nginx = join(home, "nginx.sock");
  maildir = layOutMaildir(home, owner, new Map([["new/1.one", message]]));
  server = await startServer({
    accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
    certificates: [await makeCertificate()],
    settings: {
      server: runsAsRoot() ? { metrics_user: "sync" } : {},
      metrics: { listen: [metrics] },
      cluster: { auth_http: { path: nginx, group: `${process.getgid!()}` } },
    },
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(home, { recursive: true });
});

async function doctor(args: readonly string[] = [], input = "") {
  const all = ["--config", join(server.folder, "config.toml"), "--json", "doctor", ...args];
  const { exitCode, stdout } = await runProgram(program, all, { env, input });
  const { status, findings } = JSON.parse(stdout.toString()) as { status: string; findings: Finding[] };
  return { exitCode, status, of: (check: string) => findings.filter((finding) => finding.check === check) };
}

describe("pop3-ctl doctor", () => {
  it("finds server, ports and Maildir well, and logs in over POP3S without moving a message", async () => {
    const found = await doctor(["--login", "mrose"], "secret\n");
    expect(found.of("config")).toMatchObject([{ level: "ok" }]);
    expect(found.of("server")).toMatchObject([{ level: "ok" }]);
    expect(found.of("ports")).toMatchObject([
      { level: "ok", message: `127.0.0.1:${server.port} (server.listen) greets` },
      { level: "ok", message: `127.0.0.1:${server.tlsPort} (server.listen_tls) greets over TLSv1.3` },
    ]);
    expect(found.of("metrics")).toMatchObject([
      { level: "ok", message: `${metrics} tells what was counted` },
    ]);
    expect(found.of("cluster")).toMatchObject([{ level: "ok", message: `${nginx} answers nginx` }]);
    expect(found.of("storage")).toHaveLength(1);
    expect(found.of("maildirs")).toMatchObject([{ level: "ok", message: "1 Maildirs are sound" }]);
    expect(found.of("open-files")[0]?.message).toMatch(/process \d+ may open/);
    expect(found.of("login")).toMatchObject([
      {
        level: "ok",
        message: expect.stringMatching(/^mrose logs in by POP3S .* finds 1 messages \(19 octets\)$/),
      },
    ]);
    expect(readMaildir(maildir)).toMatchObject([{ folder: "new", baseName: "1.one" }]);
    // The test's certificate is signed by itself, its passwd file is open to all.
    expect(found).toMatchObject({ exitCode: 2, status: "error" });
  });

  it("tells what the server answers to a wrong password", async () => {
    const found = await doctor(["--login", "mrose"], "wrong\n");
    expect(found.of("login")).toMatchObject([
      { level: "error", message: expect.stringContaining("-ERR [AUTH]") },
    ]);
  });

  it.runIf(runsAsRoot())(
    "names a missing Maildir that its owner could not make, and so does why",
    async () => {
      renameSync(maildir, `${maildir}.away`);
      const { uid, gid } = mailOwner();
      chownSync(home, 0, 0);
      try {
        expect((await doctor()).of("maildirs")).toMatchObject([
          {
            level: "error",
            message: expect.stringContaining(`cannot make it in ${home} (permission denied)`),
          },
        ]);
        const why = await runProgram(
          program,
          ["--config", join(server.folder, "config.toml"), "why", "mrose"],
          { env },
        );
        expect(why.stdout.toString()).toContain(
          `now: the right password is not enough: mrose: ${maildir} is not there, and uid ${uid} cannot make it in ${home} (permission denied)\n`,
        );
      } finally {
        chownSync(home, uid, gid);
        renameSync(`${maildir}.away`, maildir);
      }
    },
  );

  it.runIf(runsAsRoot())("names the folder that does not let the mail's owner through", async () => {
    chmodSync(home, 0o700);
    const { uid, gid } = mailOwner();
    chownSync(home, 0, 0);
    try {
      expect((await doctor()).of("maildirs")).toMatchObject([
        {
          level: "error",
          message: expect.stringContaining(`${home} lets the mail's owner (uid ${uid},`),
          mend: `chmod o+x ${home}`,
        },
      ]);
    } finally {
      chmodSync(home, 0o755);
      chownSync(home, uid, gid);
    }
  });
});
