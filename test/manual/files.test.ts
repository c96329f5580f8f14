// What is made from the programs and the config's schema has to be what they are now.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { manualFiles } from "../../src/manual/files.ts";

describe("the files that scripts/write-manual makes", () => {
  it.each([...manualFiles().keys()])("etc/%s is what it makes now", (path) => {
    const committed = readFileSync(new URL(`../../etc/${path}`, import.meta.url), "utf8");
    // When this fails: scripts/write-manual
    expect(committed).toBe(manualFiles().get(path));
  });
});
