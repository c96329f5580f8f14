// The structure that README and the folders promise, held by a test.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const source = fileURLToPath(new URL("../src", import.meta.url));

interface Import {
  readonly file: string;
  /** A module's name, or the imported file below src/. */
  readonly target: string;
}

const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(source, file), "utf8");
  return [
    ...text.matchAll(/^(?:import|export)\s[^;]*?from "([^"]+)";|^import "([^"]+)";|import\("([^"]+)"\)/gms),
  ].map((match) => {
    const target = match[1] ?? match[2] ?? match[3] ?? "";
    return {
      file,
      target: target.startsWith(".") ? relative(source, resolve(source, file, "..", target)) : target,
    };
  });
});

const folderOf = (path: string): string => path.split("/")[0] ?? "";
/** The folder within that folder, where there is one. */
const partOf = (path: string): string | undefined => path.match(/^[^/]+\/([^/]+)\//)?.[1];
const isOurs = (target: string): boolean => target.endsWith(".ts");
const importersOf = (module: string): string[] =>
  [...new Set(imports.filter(({ target }) => target === module).map(({ file }) => file))].sort();

describe("imports", () => {
  // Each folder may import from those in later rows, and from its own row.
  const rows = [
    ["manual"],
    ["index.ts"],
    ["bin", "library"],
    ["setup"],
    ["doctor"],
    ["processes"],
    ["control", "net", "config"],
    ["maildir", "accounts", "auth"],
    ["pop3", "sasl", "log", "host"],
    ["mime"],
    ["octets"],
  ];
  const rowOf = (path: string): number => rows.findIndex((row) => row.includes(folderOf(path)));

  it("were found", () => {
    expect(files.length).toBeGreaterThan(30);
    expect(imports.length).toBeGreaterThan(100);
  });

  it("run one way, to the pure parts", () => {
    const back = imports.filter(
      ({ file, target }) => isOurs(target) && (rowOf(file) < 0 || rowOf(target) < rowOf(file)),
    );
    expect(back).toEqual([]);
  });

  it("keep pop3, sasl and octets free of Node, of clock and of randomness", () => {
    const pure = files.filter((file) => ["pop3", "sasl", "octets"].includes(folderOf(file)));
    const allowed = (file: string): string[] =>
      folderOf(file) === "pop3" ? ["pop3", "octets"] : [folderOf(file)];
    expect(
      imports.filter(({ file, target }) => pure.includes(file) && !allowed(file).includes(folderOf(target))),
    ).toEqual([]);
    for (const file of pure) {
      const code = readFileSync(join(source, file), "utf8").replace(/\/\*.*?\*\/|\/\/.*$/gms, "");
      expect(code, file).not.toMatch(/\b(?:Date\.now|new Date|Math\.random|crypto\.|process\.|Buffer\.)/);
    }
  });

  it("keep maildir and pop3 apart", () => {
    const pairs = imports.map(({ file, target }) => `${folderOf(file)} -> ${folderOf(target)}`);
    expect(pairs).not.toContain("maildir -> pop3");
    expect(pairs).not.toContain("pop3 -> maildir");
  });

  it("let the master know no protocol", () => {
    const seen = reachableFrom("processes/master.ts");
    expect(seen.filter((file) => ["pop3", "sasl", "auth", "maildir"].includes(folderOf(file)))).toEqual([]);
  });

  it("let a login process know neither Maildirs nor the passwd file", () => {
    const seen = reachableFrom("processes/login.ts");
    expect(seen.filter((file) => ["maildir", "accounts"].includes(folderOf(file)))).toEqual([]);
    expect(seen).toContain("pop3/authorization-state.ts");
  });

  it("let a mailbox process know no password and no account", () => {
    const seen = reachableFrom("processes/mailbox.ts");
    expect(seen.filter((file) => ["accounts", "auth", "sasl"].includes(folderOf(file)))).toEqual([]);
  });

  it("let the metrics process know numbers alone", () => {
    const seen = reachableFrom("processes/metrics.ts");
    const others = ["accounts", "auth", "maildir", "pop3", "sasl"];
    expect(seen.filter((file) => others.includes(folderOf(file)))).toEqual([]);
  });

  it("run one way between the parts of a folder, too", () => {
    const parts = new Map<string, Set<string>>();
    for (const { file, target } of imports) {
      if (!isOurs(target) || partOf(file) === undefined || partOf(target) === undefined) continue;
      if (folderOf(file) !== folderOf(target) || partOf(file) === partOf(target)) continue;
      const from = `${folderOf(file)}/${partOf(file)}`;
      parts.set(from, (parts.get(from) ?? new Set()).add(`${folderOf(target)}/${partOf(target)}`));
    }
    expect(parts.size).toBeGreaterThan(10);
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
      [...(parts.get(from) ?? [])].some((next) => {
        if (next === to) return true;
        if (seen.has(next)) return false;
        seen.add(next);
        return reaches(next, to, seen);
      });
    expect([...parts.keys()].filter((part) => reaches(part, part))).toEqual([]);
  });

  it("keep each process's own parts to itself: they meet in what the client's way goes through", () => {
    const others = imports.filter(
      ({ file, target }) =>
        isOurs(target) &&
        folderOf(file) === "processes" &&
        folderOf(target) === "processes" &&
        partOf(file) !== undefined &&
        partOf(target) !== undefined &&
        partOf(file) !== partOf(target) &&
        partOf(target) !== "child",
    );
    // In "combined" mode, login hands over by a call: it knows the type of what it calls.
    expect(others).toEqual([
      { file: "processes/login/hand-over.ts", target: "processes/mailbox/mailbox-service.ts" },
    ]);
  });

  it("name argon2 in one file", () => {
    expect(importersOf("argon2")).toEqual(["accounts/passwords/password.ts"]);
  });
});

/** Types vanish when the code is built, so what is imported only as a type is not reached. */
function reachableFrom(file: string): string[] {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(join(source, path), "utf8");
    for (const match of text.matchAll(/^(?:import|export)\s(?!type\s)([^;]*?)from "(\.[^"]+)";/gms)) {
      const names = match[1]?.replace(/[{}\s]/g, " ").split(",") ?? [];
      if (names.every((name) => name.trim() === "" || name.trim().startsWith("type "))) continue;
      visit(relative(source, resolve(source, path, "..", match[2] ?? "")));
    }
  };
  visit(file);
  return [...seen];
}
