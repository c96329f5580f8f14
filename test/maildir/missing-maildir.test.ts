import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { obstacleToMaking } from "../../src/maildir/missing-maildir.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-missing-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("nothing is in the way of a Maildir in a folder of its owner's, however much of the path is missing", () => {
  expect(obstacleToMaking(join(folder, "example.org/mrose/Maildir"))).toBeUndefined();
});

it("names the last part of the path that is there, where nothing can be made in it", () => {
  const at = join(folder, "example.org");
  // Nobody makes a folder in a file, be it root.
  writeFileSync(at, "", { mode: 0o777 });
  expect(obstacleToMaking(join(at, "mrose/Maildir"))).toEqual({ at, code: "ENOTDIR" });
});
