// What a login process and a mailbox process say to each other about clients whose connection itself is passed on: lines, and
// behind a ticket's what the client has said after its password. Pure.
import { MAX_TICKET_OCTETS } from "./ticket.ts";

/** First line of a connection that frames follow on, and of the one that the descriptors come by. */
export const OPENING = /^(link|descriptors) ([0-9a-f]{32})$/;

/** To the mailbox process. `number`: of this client on this link, as its descriptor has it. */
export type PassFrame =
  | {
      readonly kind: "pass";
      readonly number: number;
      /** As presentTicket() makes it. */
      readonly presented: string;
      /** What the client has sent already. */
      readonly read: Uint8Array;
    }
  /** The client is not to be served any more, or not to begin with. */
  | { readonly kind: "withdraw"; readonly number: number };

/** To the login process. */
export type LinkAnswer =
  /** The descriptors' connection has been found. */
  | { readonly kind: "ready" }
  /** Another process takes over: no more frames. */
  | { readonly kind: "retiring" }
  /** It is served; `over`: it was, and is gone. */
  | { readonly kind: "taken"; readonly number: number }
  | { readonly kind: "over"; readonly number: number }
  /** No descriptor could be taken; the ticket is still good. */
  | { readonly kind: "unpassed"; readonly number: number }
  /** `reply` goes to the client, which stays in the AUTHORIZATION state. */
  | { readonly kind: "refused"; readonly number: number; readonly reply: string };

/** More than a client can have sent while its login was under way: reading stops at some 64 KiB. */
export const MAX_READ_OCTETS = 262_144;

const NUMBER = "0|[1-9][0-9]{0,9}";
const PASS = new RegExp(`^pass (${NUMBER}) (${NUMBER}) ([\\x20-\\x7e]+)$`);
const WITHDRAW = new RegExp(`^withdraw (${NUMBER})$`);
const NUMBERED = new RegExp(`^(taken|over|unpassed) (${NUMBER})$`);
const REFUSED = new RegExp(`^refused (${NUMBER}) (.*)$`, "s");

export function passFrame(number: number, presented: string, read: Uint8Array): Buffer {
  const line = Buffer.from(`pass ${number} ${read.length} ${presented}\n`, "latin1");
  return read.length === 0 ? line : Buffer.concat([line, read]);
}

export function withdrawFrame(number: number): string {
  return `withdraw ${number}\n`;
}

export function formatAnswer(answer: LinkAnswer): string {
  switch (answer.kind) {
    case "ready":
    case "retiring":
      return `${answer.kind}\n`;
    case "taken":
    case "over":
    case "unpassed":
      return `${answer.kind} ${answer.number}\n`;
    case "refused":
      // A reply is one line, and ends as such.
      return `refused ${answer.number} ${answer.reply}`;
    default:
      return answer satisfies never;
  }
}

/** In the mailbox process. */
export class PassFrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #begun: { readonly number: number; readonly presented: string; readonly octets: number } | undefined;

  /** @returns frames that are whole now; undefined when what came is none: nothing may be read from there any more */
  push(chunk: Buffer): readonly PassFrame[] | undefined {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: PassFrame[] = [];
    for (;;) {
      const frame = this.#next();
      if (frame === "malformed") return undefined;
      if (frame === "incomplete") return frames;
      frames.push(frame);
    }
  }

  #next(): PassFrame | "incomplete" | "malformed" {
    if (this.#begun === undefined) {
      const end = this.#rest.indexOf(LF);
      if (end > MAX_LINE_OCTETS || (end === -1 && this.#rest.length > MAX_LINE_OCTETS)) return "malformed";
      if (end === -1) return "incomplete";
      const line = this.#rest.toString("latin1", 0, end);
      this.#rest = this.#rest.subarray(end + 1);
      const [, withdrawn] = WITHDRAW.exec(line) ?? [];
      if (withdrawn !== undefined) return { kind: "withdraw", number: Number(withdrawn) };
      const [, number, octets, presented] = PASS.exec(line) ?? [];
      if (presented === undefined || Number(octets) > MAX_READ_OCTETS) return "malformed";
      this.#begun = { number: Number(number), presented, octets: Number(octets) };
    }
    const { number, presented, octets } = this.#begun;
    if (this.#rest.length < octets) return "incomplete";
    const read = this.#rest.subarray(0, octets);
    this.#rest = this.#rest.subarray(octets);
    this.#begun = undefined;
    return { kind: "pass", number, presented, read };
  }
}

/** In the login process. */
export class LinkAnswerReader {
  #rest = "";

  /** @returns answers that are whole now; undefined when what came is none */
  push(chunk: Buffer): readonly LinkAnswer[] | undefined {
    const lines = (this.#rest + chunk.toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > MAX_LINE_OCTETS) return undefined;
    const answers = lines.map(parseAnswer);
    return answers.includes(undefined) ? undefined : (answers as LinkAnswer[]);
  }
}

function parseAnswer(line: string): LinkAnswer | undefined {
  if (line === "ready" || line === "retiring") return { kind: line };
  const [, kind, number] = NUMBERED.exec(line) ?? [];
  if (kind !== undefined) return { kind: kind as "taken" | "over" | "unpassed", number: Number(number) };
  const [, refused, reply] = REFUSED.exec(line) ?? [];
  return reply === undefined ? undefined : { kind: "refused", number: Number(refused), reply: `${reply}\n` };
}

const LF = 10;

/** The longest ticket, and what stands before it. */
const MAX_LINE_OCTETS = MAX_TICKET_OCTETS + 64;
