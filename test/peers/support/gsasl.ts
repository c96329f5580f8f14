// gsasl, GNU SASL's own client: logs in by SMTP AUTH with SCRAM, and prints what both sides said.
import { runProgram } from "../../support/program.ts";

export interface GsaslLogin {
  /** SMTP, on 127.0.0.1. */
  readonly port: number;
  readonly mechanism: "SCRAM-SHA-256" | "SCRAM-SHA-1";
  readonly user: string;
  readonly password: string;
}

/** @returns the conversation; gsasl's exit status tells nothing of it */
export async function gsasl({ port, mechanism, user, password }: GsaslLogin): Promise<string> {
  const { stdout, stderr } = await runProgram("gsasl", [
    "--smtp",
    "--no-starttls",
    `--connect=127.0.0.1:${port}`,
    `--mechanism=${mechanism}`,
    `--authentication-id=${user}`,
    `--password=${password}`,
  ]);
  return `${stdout}${stderr}`;
}
