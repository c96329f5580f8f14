import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { EXPECTED_TALK, runLibraryExample } from "../support/library-example.ts";

it("README's server over one's own storage passes tsc and serves", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dewey-example-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(fileURLToPath(new URL("../..", import.meta.url)), join(folder, "node_modules/dewey-pop3"));
    expect(await runLibraryExample(folder)).toBe(EXPECTED_TALK);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
