import { describe, expect, it } from "vitest";
import { parseServerReply } from "../../src/auth/protocol/server-reply.ts";
import { ServerGreeting } from "../../src/auth/server-greeting.ts";

const COOKIE = "COOKIE\t0123456789abcdef0123456789abcdef";

/** What the greeting says to the last of these lines. */
function take(...lines: readonly string[]): string | undefined {
  const greeting = new ServerGreeting();
  const faults = lines.map((line) => {
    const reply = parseServerReply(line);
    if (reply.kind === "unknown" || reply.kind === "malformed") throw new Error(line);
    return greeting.take(reply);
  });
  expect(faults.slice(0, -1).filter((fault) => fault !== undefined)).toEqual([]);
  return faults.at(-1);
}

describe("ServerGreeting", () => {
  it.each([
    [
      "with all that Dovecot says",
      ["VERSION\t1\t2", "MECH\tPLAIN\tplaintext", "SPID\t1", "CUID\t1", COOKIE, "DONE"],
    ],
    ["with the least", ["VERSION\t1\t0", "MECH\tPLAIN", "SPID\t1", "DONE"]],
    ["of a newer minor version", ["VERSION\t1\t99", "MECH\tPLAIN", "SPID\t1", "DONE"]],
  ])("takes a greeting %s", (_, lines) => {
    expect(take(...lines)).toBeUndefined();
  });

  it("keeps process and mechanisms", () => {
    const greeting = new ServerGreeting();
    greeting.take({ kind: "VERSION", major: 1, minor: 2 });
    greeting.take({ kind: "MECH", name: "PLAIN", parameters: ["plaintext"] });
    greeting.take({ kind: "MECH", name: "EXTERNAL", parameters: [] });
    greeting.take({ kind: "SPID", pid: 17 });
    expect(greeting.serverPid).toBe(17);
    expect([...greeting.mechanisms]).toEqual([
      ["PLAIN", ["plaintext"]],
      ["EXTERNAL", []],
    ]);
  });

  it.each([
    ["anything before VERSION", ["MECH\tPLAIN"]],
    ["another major version", ["VERSION\t2\t0"]],
    ["a second VERSION", ["VERSION\t1\t2", "VERSION\t1\t2"]],
    ["SPID before MECH, as on auth-master", ["VERSION\t1\t2", "SPID\t1"]],
    ["DONE before SPID", ["VERSION\t1\t2", "MECH\tPLAIN", "DONE"]],
    ["OK before DONE", ["VERSION\t1\t2", "OK\t1\tuser=mrose"]],
    ["FAIL before DONE", ["VERSION\t1\t2", "FAIL\t1"]],
    ["CONT before DONE", ["VERSION\t1\t2", "CONT\t1\t"]],
  ])("refuses %s", (_, lines) => {
    expect(take(...lines)).toEqual(expect.any(String));
  });
});
