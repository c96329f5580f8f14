import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask } from "../../../src/control/link/client.ts";
import { controlSocket, MAX_QUESTION_OCTETS } from "../../../src/control/link/protocol.ts";
import { type Inquire, serveControl } from "../../../src/control/link/server.ts";
import { serveUnix } from "../../../src/net/listen.ts";

describe("a question over the control socket", () => {
  let folder: string;
  let close: () => void;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dewey-control-"));
    close = () => {};
  });
  afterEach(() => {
    close();
    rmSync(folder, { recursive: true });
  });

  async function serve(inquire: Inquire): Promise<void> {
    const served = await serveUnix(controlSocket(folder), 0o600, (socket) => serveControl(socket, inquire));
    if (served.kind === "failed") throw new Error(served.code);
    close = served.close;
  }

  it("gets its answers in order, and who owes one", async () => {
    await serve(async (question, reply) => {
      expect(question).toEqual({ kind: "kick", sessions: ["1", "2"] });
      reply("mailbox 0", { session: "1" });
      reply("mailbox 1", { session: "2" });
      return ["auth"];
    });
    const answers: unknown[] = [];
    const asked = await ask(folder, { kind: "kick", sessions: ["1", "2"] }, (answer, from) =>
      answers.push([from, answer]),
    );
    expect(asked).toEqual({ kind: "answered", silent: ["auth"] });
    expect(answers).toEqual([
      ["mailbox 0", { session: "1" }],
      ["mailbox 1", { session: "2" }],
    ]);
  });

  it("is for the socket's owner alone, and replaces what an earlier run left behind", async () => {
    await serve(async () => []);
    expect(statSync(controlSocket(folder)).mode & 0o777).toBe(0o600);
    const closeFirst = close;
    await serve(async () => []);
    expect(await ask(folder, { kind: "sessions" }, () => {})).toMatchObject({ kind: "answered" });
    closeFirst();
  });

  it("never replaces a file that is no socket", async () => {
    writeFileSync(controlSocket(folder), "mine");
    await expect(serve(async () => [])).rejects.toThrow("EADDRINUSE");
    expect(statSync(controlSocket(folder)).size).toBe(4);
  });

  it("tells the server when its client is gone", async () => {
    let aborted: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    await serve(
      (_, reply, signal) =>
        new Promise((resolve) => {
          reply("mailbox 0", { session: "1" });
          signal.addEventListener("abort", () => {
            aborted?.();
            resolve([]);
          });
        }),
    );
    const stop = new AbortController();
    const asked = await ask(folder, { kind: "kick", sessions: [] }, () => stop.abort(), stop.signal);
    expect(asked).toEqual({ kind: "answered", silent: [] });
    await gone;
  });

  it("fails where an answer is of another form", async () => {
    await serve(async (_, reply) => {
      reply("mailbox 0", { session: 1 });
      return [];
    });
    expect(await ask(folder, { kind: "kick", sessions: [] }, () => {})).toEqual({
      kind: "failed",
      reason: expect.stringContaining("malformed: session"),
    });
  });

  it("fails where no server runs, and says so", async () => {
    expect(await ask(folder, { kind: "sessions" }, () => {})).toEqual({
      kind: "failed",
      reason: `pop3-server does not run: nobody listens on ${controlSocket(folder)} (systemctl start dewey-pop3)`,
    });
  });

  it.each([
    ["malformed", "who\n"],
    ["of an unknown kind", '{"kind":"everything"}\n'],
    ["too long", `${"x".repeat(MAX_QUESTION_OCTETS + 1)}\n`],
  ])("is refused when it is %s", async (_, line) => {
    await serve(async () => []);
    const socket = connect(controlSocket(folder));
    socket.write(line);
    expect(JSON.parse(await text(socket))).toEqual({
      kind: "refused",
      reason: expect.stringContaining("malformed question"),
    });
  });
});
