// Makes src/octets/loops.ts from src/octets/loops.wat: node scripts/assemble-loops.mjs
// A test holds that the two belong together.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import loadWabt from "wabt";

const source = fileURLToPath(new URL("../src/octets/loops.wat", import.meta.url));
const target = fileURLToPath(new URL("../src/octets/loops.ts", import.meta.url));

/** The text of loops.ts. */
export async function assembleLoops() {
  const wabt = await loadWabt();
  const module = wabt.parseWat("loops.wat", readFileSync(source, "utf8"), { simd: true });
  const { buffer } = module.toBinary({ write_debug_names: false });
  module.destroy();
  return `// Made from loops.wat by scripts/assemble-loops.mjs: WebAssembly in base64.
export const LOOPS =
  "${Buffer.from(buffer).toString("base64")}";
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, await assembleLoops());
