import { describe, expect, it } from "vitest";
import { shorten, table } from "../../../src/control/terminal/table.ts";

const columns = [
  { title: "NAME", least: 6 },
  { title: "OCTETS", align: "right" },
] as const;

describe("table", () => {
  it("aligns columns, and leaves no spaces at a line's end", () => {
    expect(
      table(
        [{ title: "A" }, { title: "N", align: "right" }, { title: "B" }],
        [
          ["one", 5, "x"],
          ["three", 120, ""],
        ],
        80,
      ),
    ).toEqual(["A        N  B", "one      5  x", "three  120"]);
  });

  it("cuts the columns that may be cut, and no others", () => {
    const lines = table(columns, [["mrose@example.org", 1_234_567]], 20);
    expect(lines).toEqual(["NAME          OCTETS", "mrose@exam…  1234567"]);
    expect(table(columns, [["mrose@example.org", 1_234_567]], 5)[1]).toBe("mrose…  1234567");
  });

  it("counts columns as the terminal shows them", () => {
    expect(table(columns, [["日本語", 1]], 80)).toEqual(["NAME    OCTETS", "日本語       1"]);
    expect(shorten("日本語", 4)).toBe("日…");
    expect(shorten("e\u0301e\u0301e\u0301", 2)).toBe("e\u0301…");
  });

  it("shows what would move the cursor instead of sending it", () => {
    expect(table(columns, [["a\x1b[2Jb\n", 1]], 80)[1]).toBe("a\\x1b[2Jb\\x0a       1");
  });
});
