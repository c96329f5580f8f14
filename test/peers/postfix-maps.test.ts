// The map files with the real postmap(1): every kind of index that we write is one that
// Postfix reads, and a reader never finds half of one.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writePostfixMaps } from "../../src/accounts/mta/postfix-map-files.ts";
import { postfixMaps } from "../../src/accounts/mta/postfix-maps.ts";
import { POSTFIX_MAP_TYPES } from "../../src/config/schema/mta.ts";
import { accountsOf } from "../accounts/accounts-of.ts";
import { runOrThrow } from "../support/program.ts";

const settings = {
  maildir: "~/Mail dir",
  owner: { uid: 5000, gid: 5001 },
  localDomains: [],
  source: "passwd-file" as const,
  findUser: () => undefined,
  findGid: () => undefined,
};
const accounts = accountsOf(
  "MRose@Example.org:x::::/home/mrose",
  "münchen+tag=x@example.org:x::::/home/münchen",
  "o'brien!#$%&*{|}~@example.org:x::::/home/o",
);

let config: string;

beforeAll(() => {
  config = mkdtempSync(join(tmpdir(), "dewey-postmap-"));
  for (const name of ["main.cf", "master.cf"]) writeFileSync(join(config, name), "");
});
afterAll(() => rmSync(config, { recursive: true }));

it.each(POSTFIX_MAP_TYPES)(
  "%s: postmap -q finds what was written, and what was written anew",
  async (type) => {
    const folder = mkdtempSync(join(config, "maps-"));
    const postmap = ["/usr/sbin/postmap", "-c", config];
    const options = { folder, type, postmap };
    const ask = async (map: string, key: string): Promise<string> =>
      (
        await runOrThrow("/usr/sbin/postmap", ["-c", config, "-q", key, `${type}:${join(folder, map)}`])
      ).stdout.toString();
    expect(await writePostfixMaps(await postfixMaps(accounts.slice(0, 1), settings), options)).toEqual({
      kind: "written",
    });
    expect(await ask("mailboxes", "mrose@example.org")).toBe("/home/mrose/Mail dir/\n");
    expect(await writePostfixMaps(await postfixMaps(accounts, settings), options)).toEqual({
      kind: "written",
    });
    expect(await ask("mailboxes", "MROSE@example.org")).toBe("/home/mrose/Mail dir/\n");
    expect(await ask("mailboxes", "münchen+tag=x@example.org")).toBe("/home/münchen/Mail dir/\n");
    expect(await ask("uids", "o'brien!#$%&*{|}~@example.org")).toBe("5000\n");
    expect(await ask("gids", "mrose@example.org")).toBe("5001\n");
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
    expect(existsSync(join(folder, "mailboxes"))).toBe(true);
  },
);
