// Starts test/server/support/maildir-session.mjs: one session of the built Maildir engine in a process of its own.
import { readFileSync } from "node:fs";
import type { MaildropOptions } from "../../../src/maildir/maildrop-options.ts";
import type { UpdateResult } from "../../../src/maildir/update/update.ts";
import { runnableModules } from "../../support/checkout.ts";
import { runProgram } from "../../support/program.ts";

export interface SessionRequest
  extends Pick<MaildropOptions, "keepDeletedMs" | "expireMs" | "parallel" | "lock"> {
  /** Base names. */
  readonly deleted?: readonly string[];
  readonly retrieved?: readonly string[];
  /** Kills the process before this call to the file system, counted from 1 at the beginning of UPDATE. */
  readonly dieAt?: number;
}

export type SessionOutcome =
  | {
      readonly kind: "done";
      readonly messages: readonly {
        readonly uniqueId: string;
        readonly octets: number;
        readonly content?: string;
        /** Why it could not be opened. */
        readonly failure?: string;
      }[];
      readonly result: UpdateResult;
      /** To the file system, from the beginning of UPDATE to the end of the session. */
      readonly calls: number;
      readonly events: readonly { readonly kind: string }[];
    }
  | { readonly kind: "not-opened"; readonly opened: { readonly kind: string; readonly reason?: string } }
  | { readonly kind: "killed" };

const script = readFileSync(new URL("./maildir-session.mjs", import.meta.url), "utf8");

/** @param user whose process it is; the tests' own when left out */
export async function maildirSession(
  maildir: string,
  request: SessionRequest,
  user?: { readonly uid: number; readonly gid: number },
): Promise<SessionOutcome> {
  const { path, env } = runnableModules();
  const { exitCode, signal, stdout, stderr } = await runProgram(
    "node",
    ["--input-type=module", "-", path, maildir, JSON.stringify(request)],
    { input: script, env, cwd: "/", ...user },
    120_000,
  );
  if (signal === "SIGKILL" && request.dieAt !== undefined) return { kind: "killed" };
  if (exitCode !== 0) throw new Error(`the session ended with ${exitCode ?? signal}: ${stderr}`);
  const said = JSON.parse(stdout.toString().trimEnd().split("\n").at(-1) ?? "");
  return said.opened === undefined ? { kind: "done", ...said } : { kind: "not-opened", opened: said.opened };
}
