// The map files with a stand-in for postmap(1); test/peers/postfix-maps.test.ts has the real one.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type PostfixMapFilesOptions,
  writePostfixMaps,
} from "../../../src/accounts/mta/postfix-map-files.ts";
import { POSTFIX_MAP_NAMES, type PostfixMaps } from "../../../src/accounts/mta/postfix-maps.ts";

let parent: string;
let folder: string;
let options: PostfixMapFilesOptions;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "dewey-maps-"));
  folder = mkdtempSync(join(parent, "maps-"));
  options = { folder, type: "hash", postmap: [fakePostmap('cp "$file" "$file.db"')] };
});
afterEach(() => rmSync(parent, { recursive: true }));

/** A program that does this with `$file`, the text that it shall index. */
function fakePostmap(script: string): string {
  const path = join(parent, "postmap");
  writeFileSync(path, `#!/bin/sh\nfile=\${1#*:}\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

function maps(text: string): PostfixMaps {
  return {
    files: new Map(POSTFIX_MAP_NAMES.map((name) => [name, `${name}: ${text}`])),
    accounts: 1,
    leftOut: [],
  };
}

const content = (): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));

const complete = (text: string): Record<string, string> =>
  Object.fromEntries(
    POSTFIX_MAP_NAMES.flatMap((name) => [
      [name, `${name}: ${text}`],
      [`${name}.db`, `${name}: ${text}`],
    ]),
  );

describe("writePostfixMaps", () => {
  it("writes texts and indexes that Postfix's users can read, and leaves nothing else", async () => {
    expect(await writePostfixMaps(maps("one"), options)).toEqual({ kind: "written" });
    expect(await writePostfixMaps(maps("two"), options)).toEqual({ kind: "written" });
    expect(content()).toEqual(complete("two"));
    expect(statSync(join(folder, "mailboxes")).mode & 0o777).toBe(0o644);
  });

  it("writes texts alone as texthash", async () => {
    const texthash = { ...options, type: "texthash", postmap: ["/nonexistent"] } as const;
    expect(await writePostfixMaps(maps("one"), texthash)).toEqual({ kind: "written" });
    expect(Object.keys(content()).sort()).toEqual(["gids", "mailboxes", "uids"]);
  });

  it.each([
    ["is refused", "echo no such type >&2; exit 1", /^\S+ hash:\S+ failed: no such type$/],
    ["is killed half-way", 'echo hal > "$file.db"; kill -9 $$', /^\S+ hash:\S+ failed: /],
    [
      "is not there",
      undefined,
      "/nonexistent is not there: install Postfix, or set postmap in mta.postfix_maps",
    ],
  ])("keeps the old maps whole when postmap %s, and the next attempt mends it", async (_, script, reason) => {
    await writePostfixMaps(maps("one"), options);
    const postmap = [script === undefined ? "/nonexistent" : fakePostmap(script)];
    const result = await writePostfixMaps(maps("two"), { ...options, postmap });
    expect(result).toEqual({ kind: "failed", reason: expect.stringMatching(reason) });
    expect(content()).toMatchObject(complete("one"));
    fakePostmap('cp "$file" "$file.db"');
    expect(await writePostfixMaps(maps("two"), options)).toEqual({ kind: "written" });
    expect(content()).toEqual(complete("two"));
  });

  it("knows uid and gid of an address before its mailbox, and the index before the text", async () => {
    // At each call, what stands in its place already.
    fakePostmap(`cp "$file" "$file.db"; (cd "\${file%/*}" && echo $(ls) >> "${parent}/order")`);
    await writePostfixMaps(maps("one"), options);
    expect(readFileSync(join(parent, "order"), "utf8").split("\n")).toEqual([
      "",
      "uids uids.db",
      "gids gids.db uids uids.db",
      "",
    ]);
  });

  it("names the folder that is not there, and how to make it", async () => {
    const missing = join(parent, "none");
    const result = await writePostfixMaps(maps("one"), { ...options, folder: missing });
    expect(result).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(
        /none is not there, make it with: install -d -o \d+ -g \d+ -m 755 \S+none$/,
      ),
    });
  });
});
