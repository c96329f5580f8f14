// How Node.js is told to keep house in master's children. V8 is tuned for programs that go quiet for good; a mail host goes
// quiet for a minute, again and again.
import { spawnSync } from "node:child_process";

/** Documented by Node.js, in MiB: what a session leaves behind is garbage at once, and a larger heap only keeps more of it. */
const youngGeneration = "--max-semi-space-size=4";

/** V8's own, which come and go with its versions; `name` is what `node --v8-options` calls each. */
const ofV8 = [
  /**
   * After some seconds without work the reducer collects garbage and, along with it, the layouts of objects that no session has
   * just then: what was compiled for them is thrown away, and the next clients cost up to thrice as much.
   */
  { name: "--memory-reducer", option: "--no-memory-reducer" },
  /**
   * In MiB; a process has 10 to 18 when it starts. V8 does not look for garbage among what has grown old before there is many
   * times as much, and a burst of logins leaves more of that than of sessions. Of the later collections V8 finds the time itself.
   */
  { name: "--initial-old-space-size", option: "--initial-old-space-size=24" },
] as const;

let options: readonly string[] | undefined;

/** Those that this Node.js knows: it starts with no other. */
export function nodeOptions(): readonly string[] {
  options ??= optionsFor(v8Options());
  return options;
}

/** @param known what `node --v8-options` prints */
export function optionsFor(known: string): readonly string[] {
  const ofThis = ofV8.filter(({ name }) => known.includes(`${name} (`));
  return [youngGeneration, ...ofThis.map(({ option }) => option)];
}

/** "" where it cannot be asked. As the children will run: nothing of the starter's environment steers Node.js. */
function v8Options(): string {
  const { stdout } = spawnSync(process.execPath, ["--v8-options"], { encoding: "latin1", env: {} });
  return stdout ?? "";
}
