// Writes the files of etc/ that are made from the programs. Run by scripts/write-manual, with the folder as its argument.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { manualFiles } from "./files.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("name the folder");
for (const [path, text] of manualFiles()) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}
