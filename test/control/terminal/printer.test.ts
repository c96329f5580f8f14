import { describe, expect, it } from "vitest";
import { createPrinter } from "../../../src/control/terminal/printer.ts";

const terminal = (columns: number | undefined) =>
  createPrinter(false, { isTTY: true, columns, hasColors: () => false } as unknown as typeof process.stdout);

describe("createPrinter", () => {
  it.each([
    [132, 132],
    [0, 80],
    [undefined, 80],
  ])("takes a terminal that tells %s columns for one of %i", (told, columns) => {
    expect(terminal(told)).toMatchObject({ columns, isTerminal: true });
  });

  it("takes 80 columns where there is no terminal", () => {
    expect(createPrinter(false, { isTTY: false } as unknown as typeof process.stdout)).toMatchObject({
      columns: 80,
      isTerminal: false,
    });
  });
});
