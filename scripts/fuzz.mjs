// npm run fuzz: all property tests for long, from one seed that it prints; with --server, hostile octets against the
// running server instead. The same seed, runs and lines do the same again.
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: `${randomInt(2 ** 31)}` },
    /** Of each property. */
    runs: { type: "string", default: "10000" },
    server: { type: "boolean", default: false },
    lines: { type: "string", default: "100000" },
    connections: { type: "string", default: "200" },
  },
});
const { seed, runs, server, lines, connections } = values;
for (const [name, value] of Object.entries({ seed, runs, lines, connections })) {
  if (!/^[0-9]{1,10}$/.test(value)) {
    console.error(`--${name} ${value}: expected a whole number`);
    process.exit(2);
  }
}

const root = fileURLToPath(new URL("..", import.meta.url));
const again = server
  ? `--server --seed ${seed} --lines ${lines} --connections ${connections}`
  : `--seed ${seed} --runs ${runs}`;
console.log(`npm run fuzz -- ${again}`);

const vitest = server
  ? ["--project", "server", "test/server/hostile-octets.test.ts"]
  : ["--project", "unit", ...propertyTests()];
const { status } = spawnSync("npx", ["vitest", "run", "--testTimeout", "0", ...vitest], {
  cwd: root,
  stdio: "inherit",
  env: {
    ...process.env,
    FUZZ_SEED: seed,
    ...(server ? { FUZZ_LINES: lines, FUZZ_CONNECTIONS: connections } : { FUZZ_RUNS: runs }),
  },
});
if (status !== 0) console.error(`to see it again: npm run fuzz -- ${again}`);
process.exit(status ?? 1);

/** @returns {string[]} */
function propertyTests() {
  return readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join("test", name))
    .filter((file) => readFileSync(join(root, file), "utf8").includes(' from "fast-check"'));
}
