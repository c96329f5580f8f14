// `pop3-ctl rehearse`: whether a client that knows the old server would download anything again. Changes nothing there or
// here: the old server is asked, the Maildir is only read.
import { readFileSync } from "node:fs";
import { describeFileError } from "../../accounts/file/file-error.ts";
import type { Config } from "../../config/schema.ts";
import { escapeControls } from "../../log/safe-text.ts";
import { findMail } from "../mailbox/mail-owner.ts";
import { askMailbox } from "../mailbox/mailbox-client.ts";
import type { Printer } from "../terminal/printer.ts";
import { drawBar, progressBar } from "../terminal/progress-bar.ts";
import { Refusal } from "../terminal/refusal.ts";
import { askOldServer, type Pop3Server, type ServedMessage } from "./pop3-client.ts";

export interface RehearseOptions {
  readonly old: string;
  readonly tls?: true;
  readonly stls?: true;
  readonly insecure?: true;
  readonly accounts: string;
}

export interface Comparison {
  readonly messages: number;
  /** Messages of ours whose unique-id the old server has not told. */
  readonly again: number;
  /** Messages of the old server's that we have not. */
  readonly missing: number;
  /** Of the messages on both sides. */
  readonly otherSize: number;
  readonly otherPlace: number;
}

type Outcome =
  | ({ readonly account: string; readonly result: "compared" } & Comparison)
  | { readonly account: string; readonly result: "failed"; readonly reason: string };

export async function rehearse(config: Config, printer: Printer, options: RehearseOptions): Promise<void> {
  const server = parseServer(options);
  const logins = readLogins(options.accounts);
  const outcomes: Outcome[] = [];
  for (const [index, { user, password }] of logins.entries()) {
    drawBar(printer, progressBar(user, index, logins.length, [], printer.columns));
    const outcome = await rehearseOne(config, server, user, password);
    drawBar(printer, "");
    outcomes.push(outcome);
    if (!printer.json) printer.line(outcomeLine(outcome));
  }
  const compared = outcomes.filter((outcome) => outcome.result === "compared");
  const again = compared.reduce((sum, outcome) => sum + outcome.again, 0);
  const messages = compared.reduce((sum, outcome) => sum + outcome.messages, 0);
  if (printer.json) printer.value({ accounts: outcomes, messages, again });
  else printer.line(`total: would download again: ${number(again)} of ${number(messages)}`);
  const failed = outcomes.length - compared.length;
  if (failed > 0) throw new Refusal(`${failed} of ${outcomes.length} accounts could not be compared`);
  if (again > 0) throw new Refusal("clients would download messages again: see pop3-ctl import-uidl --help");
}

async function rehearseOne(
  config: Config,
  server: Pop3Server,
  user: string,
  password: string,
): Promise<Outcome> {
  const old = await askOldServer(server, user, password);
  if (old.kind === "failed") return { account: user, result: "failed", reason: `${user}: ${old.reason}` };
  const ours: ServedMessage[] = [];
  try {
    await askMailbox(await findMail(config, user), { kind: "preview" }, (answer) => {
      if (answer.kind === "previewed") ours.push({ uniqueId: answer.uniqueId, octets: answer.octets });
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { account: user, result: "failed", reason: error.message };
  }
  return { account: user, result: "compared", ...compare(old.messages, ours) };
}

export function compare(old: readonly ServedMessage[], ours: readonly ServedMessage[]): Comparison {
  const oldById = new Map(old.map(({ uniqueId, octets }) => [uniqueId, octets]));
  const ourIds = new Set(ours.map(({ uniqueId }) => uniqueId));
  const oldOrder = [...oldById.keys()].filter((id) => ourIds.has(id));
  const both = ours.filter(({ uniqueId }) => oldById.has(uniqueId));
  return {
    messages: ours.length,
    again: ours.length - both.length,
    missing: old.filter(({ uniqueId }) => !ourIds.has(uniqueId)).length,
    otherSize: both.filter(({ uniqueId, octets }) => oldById.get(uniqueId) !== octets).length,
    otherPlace: both.filter(({ uniqueId }, index) => oldOrder[index] !== uniqueId).length,
  };
}

function parseServer({ old, tls, stls, insecure }: RehearseOptions): Pop3Server {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+))(?::([0-9]{1,5}))?$/.exec(old) ?? [];
  const host = v6 ?? name;
  if (host === undefined) throw new Refusal(`"${old}" is no HOST[:PORT]`);
  if (tls === true && stls === true) throw new Refusal("--tls is POP3S, --stls is not: name one of them");
  const security = tls === true ? "tls" : stls === true ? "stls" : "none";
  const defaultPort = security === "tls" ? 995 : 110;
  return {
    host,
    port: port === undefined ? defaultPort : Number(port),
    security,
    isInsecure: insecure === true,
  };
}

/** Lines of `user:password`; "#" begins a comment line. */
function readLogins(file: string): { readonly user: string; readonly password: string }[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new Refusal(`cannot read ${file}: ${describeFileError(error)}`);
  }
  return text.split("\n").flatMap((line, index) => {
    if (line === "" || line.startsWith("#")) return [];
    const colon = line.indexOf(":");
    if (colon < 1) throw new Refusal(`${file}:${index + 1}: expected user:password`);
    return [{ user: line.slice(0, colon), password: line.slice(colon + 1).replace(/\r$/, "") }];
  });
}

function outcomeLine(outcome: Outcome): string {
  if (outcome.result === "failed") return escapeControls(outcome.reason);
  const { account, messages, again, missing, otherSize, otherPlace } = outcome;
  return [
    `${escapeControls(account)}: would download again: ${number(again)} of ${number(messages)}`,
    ...(missing === 0 ? [] : [`${number(missing)} of the old server's are not here`]),
    ...(otherSize === 0 ? [] : [`${number(otherSize)} have another size`]),
    ...(otherPlace === 0 ? [] : [`${number(otherPlace)} have another place`]),
  ].join(", ");
}

function number(value: number): string {
  return value.toLocaleString("en");
}
