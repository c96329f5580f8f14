import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatLine, readAnswer, readQuestion, readToClient } from "../../../src/control/link/protocol.ts";
import { type Question, questions } from "../../../src/control/link/questions.ts";

describe("the control protocol", () => {
  it.each<Question>([
    { kind: "sessions" },
    { kind: "reload" },
    { kind: "kick", sessions: ["99060f1081c1fcb4"] },
  ])("carries $kind there", (question) => {
    const line = formatLine(question);
    expect(line.endsWith("\n")).toBe(true);
    expect(readQuestion(line.trimEnd())).toEqual({ kind: "read", value: question });
  });

  it.each([
    ["no JSON", "who", "not JSON"],
    ["no object", "[]", expect.any(String)],
    ["no kind", "{}", expect.any(String)],
    ["an unknown kind", '{"kind":"constructor"}', expect.any(String)],
    ["a key that the question has not", '{"kind":"sessions","all":true}', expect.any(String)],
    ["a value of another type", '{"kind":"kick","sessions":"all"}', expect.stringContaining("sessions")],
    [
      "more than a question may have",
      JSON.stringify({ kind: "kick", sessions: Array(1001).fill("1") }),
      expect.any(String),
    ],
  ])("refuses a question with %s", (_, line, reason) => {
    expect(readQuestion(line)).toEqual({ kind: "malformed", reason });
  });

  it("carries answers back and checks them against their question", () => {
    const message = { kind: "answer", from: "mailbox 0", answer: { session: "99060f10" } } as const;
    expect(readToClient(formatLine(message).trimEnd())).toEqual({ kind: "read", value: message });
    expect(readAnswer("kick", message.answer)).toEqual({ kind: "read", value: message.answer });
    expect(readAnswer("reload", message.answer)).toMatchObject({ kind: "malformed" });
    expect(readAnswer("kick", { session: 1 })).toEqual({
      kind: "malformed",
      reason: expect.stringMatching(/^session: /),
    });
  });

  it("meets any line with a reason or with a question that it would write the same, and never throws", () => {
    const kind = fc.constantFrom(...Object.keys(questions), "__proto__", "toString");
    const question = fc.record(
      { kind, sessions: fc.jsonValue(), whom: fc.jsonValue(), answer: fc.jsonValue(), from: fc.string() },
      { requiredKeys: [] },
    );
    const line = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      question.map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(line, (text) => {
        const read = readQuestion(text);
        if (read.kind === "malformed") expect(read.reason).not.toBe("");
        else expect(JSON.parse(formatLine(read.value))).toEqual(JSON.parse(text));
        readToClient(text);
        for (const asked of Object.keys(questions) as (keyof typeof questions)[]) readAnswer(asked, text);
      }),
    );
  });
});
