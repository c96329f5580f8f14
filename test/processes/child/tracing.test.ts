import { describe, expect, it } from "vitest";
import type { AnswerOf } from "../../../src/control/link/questions.ts";
import { maskedLine, maskedReply, tracing } from "../../../src/processes/child/tracing.ts";

describe("what a trace shows of a client's line", () => {
  it.each([
    ["USER mrose", "USER mrose"],
    ["PASS secret", "PASS ********"],
    ["pass  two words ", "pass ********"],
    ["PASS", "PASS"],
    ["AUTH PLAIN AG1yb3NlAHNlY3JldA==", "AUTH PLAIN ********"],
    ["AUTH LOGIN", "AUTH LOGIN"],
    ["APOP mrose c4c9334bac560ecc979e58001b3e22fb", "APOP ********"],
    // A client that goes on after a refusal: its next line may be the password.
    ["c2VjcmV0", "(8 octets that are no command)"],
    ["PASSsecret", "(10 octets that are no command)"],
    ["RETR 1", "RETR 1"],
  ])("of %j is %j", (text, shown) => {
    expect(maskedLine({ kind: "line", text }, false)).toBe(shown);
  });

  it("is nothing of a response to a challenge, nor of the challenge", () => {
    expect(maskedLine({ kind: "line", text: "AG1yb3NlAHNlY3JldA==" }, true)).toBe("********");
    expect(maskedLine({ kind: "line", text: "QUIT" }, true)).toBe("********");
    expect(maskedLine({ kind: "line", text: "*" }, true)).toBe("*");
    expect(maskedReply("+ VXNlcm5hbWU6\r\n")).toBe("+ ********");
    expect(maskedReply("+OK\r\n")).toBe("+OK\r\n");
  });
});

describe("a trace", () => {
  function watch(target: string) {
    const lines: AnswerOf<"trace">[] = [];
    const stop = new AbortController();
    const ended = tracing.answers.trace!({ kind: "trace", target }, (line) => lines.push(line), stop.signal);
    const end = async () => {
      stop.abort();
      await ended;
    };
    return { texts: () => lines.map(({ text }) => text), end };
  }
  const stranger = { session: "s1", address: "192.0.2.7" };

  it("costs nothing while nobody asks for it", () => {
    expect(tracing.begin(stranger)).toBeUndefined();
  });

  it("by address begins with the greeting", async () => {
    const { texts, end } = watch("192.0.2.7");
    const trace = tracing.begin(stranger);
    expect(tracing.begin({ session: "s2", address: "192.0.2.8", account: "mrose" })).toBeUndefined();
    trace!.line("S", "+OK ready\r\n");
    trace!.end("quit");
    expect(texts()).toEqual(["+OK ready", "ended: quit"]);
    await end();
  });

  it("by account is told what was said before the account was known, and nothing of others", async () => {
    const { texts, end } = watch("mrose");
    const trace = tracing.begin(stranger)!;
    trace.line("S", "+OK ready\r\n");
    trace.isOf("jpostel");
    trace.line("C", "USER jpostel");
    expect(texts()).toEqual([]);
    trace.isOf("mrose");
    expect(texts()).toEqual(["+OK ready", "USER jpostel"]);
    trace.line("S", "+OK\r\n");
    expect(texts()).toEqual(["+OK ready", "USER jpostel", "+OK"]);
    const other = tracing.begin({ session: "s3", address: "192.0.2.9" })!;
    other.line("S", "+OK ready\r\n");
    other.end("quit");
    expect(texts()).toHaveLength(3);
    await end();
  });

  it("is bounded: long replies are cut, endless sessions are left", async () => {
    const { texts, end } = watch("192.0.2.7");
    const trace = tracing.begin(stranger)!;
    trace.line("S", Array.from({ length: 1000 }, (_, index) => `${index} 1\r\n`).join(""));
    expect(texts()[0]!.split("\n")).toHaveLength(13);
    for (let line = 0; line < 5000; line++) trace.line("C", "NOOP");
    trace.end("quit");
    expect(texts()).toHaveLength(2001);
    expect(texts().slice(-2)).toEqual(["nothing more of this session is shown", "ended: quit"]);
    await end();
  });
});
