// The demonstration of `npm start`, in a folder and on ports of the test's own.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RunningProgram, startProgram } from "./program.ts";

const script = fileURLToPath(new URL("../../scripts/demo.mjs", import.meta.url));

/** @param folder the demonstration is `demo` in it. @returns it once it has said how to try it */
export async function startDemo(folder: string, port: number, tlsPort: number): Promise<RunningProgram> {
  const place = ["--folder", join(folder, "demo"), "--port", `${port}`, "--tls-port", `${tlsPort}`];
  const program = await startProgram(process.execPath, [script, ...place]);
  await program.lineWhere((line) => line.includes("mail program"), "the last line");
  return program;
}
