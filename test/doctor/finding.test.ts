import { describe, expect, it } from "vitest";
import { exitStatus, type Level, reporter, worst } from "../../src/doctor/finding.ts";

const report = reporter("test");
const of = (...levels: readonly Level[]) => levels.map((level) => report(level, level));

describe("findings", () => {
  it("end as monitoring plugins do, by the worst of them", () => {
    expect(exitStatus([])).toBe(0);
    expect(exitStatus(of("ok", "note"))).toBe(0);
    expect(exitStatus(of("ok", "warning", "note"))).toBe(1);
    expect(exitStatus(of("error", "warning", "ok"))).toBe(2);
    expect(worst(of("note", "ok"))).toBe("note");
  });
});
