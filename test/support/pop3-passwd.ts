// The built pop3-passwd as an administrator's shell runs it, and what it says of what it did.
import { runnableProgram } from "./checkout.ts";
import { type ProgramOptions, runProgram } from "./program.ts";

export interface PasswdResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const { path, env } = runnableProgram("pop3-passwd");

/** @param input where no terminal is there to ask: its first line is the password */
export async function runPasswd(
  args: readonly string[],
  input: string | Buffer = "",
  options: ProgramOptions = {},
): Promise<PasswdResult> {
  const { exitCode, stdout, stderr } = await runProgram(path, args, { env, input, ...options });
  return { exitCode, stdout: stdout.toString(), stderr };
}

export const done = (stdout: string): PasswdResult => ({ exitCode: 0, stdout: `${stdout}\n`, stderr: "" });

export const refused = (reason: string): PasswdResult => ({
  exitCode: 1,
  stdout: "",
  stderr: `pop3-passwd: ${reason}\n`,
});
