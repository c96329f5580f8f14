// The library's sessions as clients of others find them: Python's poplib, with UTF8 and without, and curl over STLS, mpop over STLS
// by SCRAM.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SocketTarget } from "../library/socket-target.ts";
import { runOrThrow, runProgram } from "../support/program.ts";

const STORED = "From: Anna <anna@example.org>\nSubject: Gr\u00fc\u00dfe\n\nein Gru\u00df\n";
const AS_STORED = STORED.replaceAll("\n", "\r\n");
const DOWNGRADED = AS_STORED.replace("Gr\u00fc\u00dfe", "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=");
const poplib = fileURLToPath(new URL("./support/poplib-session.py", import.meta.url));
let target: SocketTarget;

beforeAll(async () => {
  target = await SocketTarget.start();
  await target.reset(new Map([["UID1", Buffer.from(STORED).toString("latin1")]]));
});
afterAll(() => target.stop());

it.each([
  [true, AS_STORED],
  [false, DOWNGRADED],
] as const)("sends poplib what it can take, and tells its size: utf8() %s", async (utf8, expected) => {
  const task = { port: target.port, user: "mrose", password: "secret", delete: false, utf8 };
  const { stdout } = await runOrThrow("python3", [poplib], { input: JSON.stringify(task) });
  const seen = JSON.parse(stdout.toString()) as {
    stat: number[];
    messages: [{ list: string; whole: string[] }];
  };
  const octets = Buffer.byteLength(expected);
  expect(seen.stat).toEqual([1, octets]);
  expect(seen.messages[0].list).toBe(`+OK 1 ${octets}`);
  const lines = seen.messages[0].whole.map((line) => Buffer.from(line, "base64").toString());
  expect(lines.map((line) => `${line}\r\n`).join("")).toBe(expected);
});

it("lets curl in behind STLS, whose certificate it verifies", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dewey-library-curl-"));
  try {
    const authority = join(folder, "ca.pem");
    writeFileSync(authority, target.authority);
    const host = "pop.example.org";
    const { exitCode, stdout, stderr } = await runProgram(
      "curl",
      [
        ...["--silent", "--show-error", "--verbose", "--ssl-reqd", "--cacert", authority, "--config", "-"],
        ...["--resolve", `${host}:${target.port}:127.0.0.1`],
        `pop3://${host}:${target.port}/1`,
      ],
      { input: 'user = "mrose:secret"\n' },
    );
    expect(stderr).toMatch(/> STLS/);
    expect(exitCode, stderr).toBe(0);
    expect(stdout.toString()).toBe(DOWNGRADED);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("lets mpop in by SCRAM behind STLS", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dewey-library-mpop-"));
  try {
    const config = join(folder, "mpoprc");
    const lines = [
      ...["account test", "host 127.0.0.1", `port ${target.port}`, "tls on", "tls_starttls on"],
      ...["tls_certcheck off", "auth scram-sha-256", "user jpostel", "password pencil", "keep on"],
      ...[`uidls_file ${folder}/uidls`, `delivery mbox ${folder}/mbox`, ""],
    ];
    writeFileSync(config, lines.join("\n"), { mode: 0o600 });
    const { exitCode, stderr } = await runProgram("mpop", ["-C", config, "test"]);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    expect(readFileSync(join(folder, "mbox"), "utf8")).toContain("Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
