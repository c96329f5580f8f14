// Random Maildirs and sessions from a seed, for a comparison of two servers: much of what clients send, some of what none
// should, and the same again for the same seed.
import type { Script } from "./scripted-session.ts";

/** Mulberry32: small, quick, the same everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)]!;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }
}

const FLAGS = ["", "S", "RS", "F", "FS", "DF", "T", "ST"];

/** Up to twelve messages of the pool in new/ and cur/, named as MTAs and servers name them. */
export function randomMaildir(random: Random, pool: readonly Buffer[]): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  const count = random.int(1, 12);
  for (let index = 0; index < count; index++) {
    const content = random.pick(pool);
    const time = `17000000${String(index + 10)}`;
    const name = random.pick([
      `${time}.M${random.int(0, 999_999)}P${random.int(1, 32767)}.mx`,
      `${time}.V801I${random.int(4096, 65535).toString(16)}M${random.int(0, 999_999)}.mx`,
      `${time}.H${random.int(0, 999_999)}P12.mx,S=${content.length}`,
    ]);
    files.set(random.chance(0.5) ? `new/${name}` : `cur/${name}:2,${random.pick(FLAGS)}`, content);
  }
  return files;
}

export interface RandomSession {
  readonly script: Script;
  readonly end: "QUIT" | "drop";
  readonly retrieves: boolean;
  readonly resets: boolean;
}

/** More in one session, and a server may close it. */
const MAX_WRONG = 5;

/** @param count messages in the maildrop */
export function randomSession(random: Random, count: number): RandomSession {
  const script: string[] = [];
  let wrong = 0;
  const steps = random.int(0, 25);
  for (let step = 0; step < steps; step++) {
    const isWrong = wrong < MAX_WRONG && random.chance(0.15);
    if (isWrong) wrong++;
    const line = isWrong ? wrongLine(random, count) : validLine(random, count);
    // Some clients send several at once.
    const previous = script.at(-1);
    if (previous !== undefined && random.chance(0.2)) script.splice(-1, 1, `${previous}\r\n${line}`);
    else script.push(line);
  }
  const has = (command: RegExp): boolean => script.some((line) => command.test(line));
  return { script, end: random.chance(0.2) ? "drop" : "QUIT", retrieves: has(/RETR/i), resets: has(/RSET/i) };
}

/** Of a message that is there, though it may be marked as deleted by then. */
function validLine(random: Random, count: number): string {
  const number = random.int(1, count);
  const line = random.pick([
    "STAT",
    "NOOP",
    "LIST",
    "UIDL",
    "CAPA",
    `LIST ${number}`,
    `UIDL ${number}`,
    `RETR ${number}`,
    `RETR ${number}`,
    `TOP ${number} ${random.pick([0, 1, 2, 10, 1000])}`,
    `TOP ${number} 0`,
    `DELE ${number}`,
    `DELE ${number}`,
    ...(random.chance(0.2) ? ["RSET"] : []),
  ]);
  return random.chance(0.1) ? line.toLowerCase() : line;
}

function wrongLine(random: Random, count: number): string {
  const number = random.pick([`${count + 1}`, "0", "-1", "x", "1x", "0x1", "1.5", "00", "4294967297", "+1"]);
  return random.pick([
    `${random.pick(["RETR", "DELE", "LIST", "UIDL"])} ${number}`,
    `TOP ${number} 1`,
    `TOP 1 ${random.pick(["x", "-1", "1x"])}`,
    random.pick(["RETR", "DELE", "TOP", "TOP 1"]),
    random.pick(["STAT 1", "NOOP 1", "LIST 1 1", "UIDL 1 1", "TOP 1 1 1"]),
    random.pick(["USER mrose", "PASS secret", "AUTH PLAIN", "STLS", "APOP mrose 0", "FOO", "LAST", "EHLO x"]),
    random.pick(["", " ", " STAT", "STAT ", "LIST  1", "RETR\t1", "\x00", "STÄT", "GET / HTTP/1.0"]),
  ]);
}
