import { describe, expect, it } from "vitest";
import { Inquiries, OwnRespondent, type Respondent } from "../../../src/processes/master/inquiries.ts";

class FakeChild implements Respondent {
  readonly name: string;
  readonly asked: number[] = [];
  readonly cancelled: number[] = [];
  constructor(name: string) {
    this.name = name;
  }
  ask(id: number): boolean {
    this.asked.push(id);
    return true;
  }
  cancel(id: number): void {
    this.cancelled.push(id);
  }
}

function setUp(timeOutMs: number) {
  const inquiries = new Inquiries(timeOutMs);
  const [a, b] = [new FakeChild("a"), new FakeChild("b")];
  inquiries.joined(a);
  inquiries.joined(b);
  const answers: [string, unknown][] = [];
  const gone = new AbortController();
  const end = inquiries.ask(
    { kind: "sessions" },
    (from, answer) => answers.push([from, answer]),
    gone.signal,
  );
  return { inquiries, a, b, answers, gone, end, id: a.asked[0]! };
}

const LONG_MS = 600_000;

describe("Inquiries", () => {
  it("end when each process has answered", async () => {
    const { inquiries, a, b, answers, end, id } = setUp(LONG_MS);
    inquiries.answer(b, id, 1);
    inquiries.answer(b, id, 2);
    inquiries.answered(b, id);
    inquiries.answer(b, id, "late");
    inquiries.answer(a, id, 3);
    inquiries.answered(a, id);
    expect(await end).toEqual([]);
    expect(answers).toEqual([
      ["b", 1],
      ["b", 2],
      ["a", 3],
    ]);
  });

  it("do not wait for a process that ended", async () => {
    const { inquiries, a, b, end, id } = setUp(LONG_MS);
    inquiries.answered(a, id);
    inquiries.left(b);
    expect(await end).toEqual([]);
  });

  it("end after a time, and name who owes an answer", async () => {
    const { inquiries, a, b, end, id } = setUp(5);
    inquiries.answered(a, id);
    expect(await end).toEqual(["b"]);
    expect(b.cancelled).toEqual([id]);
    expect(a.cancelled).toEqual([]);
  });

  it("stop asking when the asker is gone", async () => {
    const { a, b, gone, end, id } = setUp(LONG_MS);
    gone.abort();
    expect(await end).toEqual(["a", "b"]);
    expect([a.cancelled, b.cancelled]).toEqual([[id], [id]]);
  });

  it("ask master itself, too", async () => {
    const inquiries = new Inquiries(LONG_MS);
    const result = { faults: [], later: ["mta"], kept: [] };
    inquiries.joined(new OwnRespondent(inquiries, { reload: (_, reply) => reply(result) }));
    const answers: unknown[] = [];
    const { signal } = new AbortController();
    expect(await inquiries.ask({ kind: "reload" }, (...answer) => answers.push(answer), signal)).toEqual([]);
    expect(answers).toEqual([["master", result]]);
  });
});
