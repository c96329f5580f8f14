// The Maildirs that the bench measures on: what is in each, and how they are laid out: generated once, then copied for
// each server, so that all begin with the same files, names and times, and none meets another's index.
import { chmodSync, linkSync, lutimesSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { plainMessage } from "../peers/support/messages.ts";
import type { MailOwner } from "../support/mail-owner.ts";
import { mixedBytes, mixedMessage, mixSizes } from "./mixed-messages.ts";

/** Workloads that name the same maildrop share its files. */
export interface Maildrop {
  readonly name: string;
  readonly messages: number;
  /** Of all messages together, as stored, LF line ends. */
  readonly bytes: number;
  readonly message: (serial: number) => Buffer;
  /** "cur": fetched before and kept, seen, so that reading them again changes nothing; "new": delivered since. */
  readonly folder: "new" | "cur";
  /** Of the accounts' argon2id hashes, in KiB; without it, the cheapest that is not refused. */
  readonly argon2Kib?: number;
  /** All names are those of one file: only names and sizes count. */
  readonly linked?: true;
  /** Names tell the octets as sent, as those do that Dovecot delivered. */
  readonly told?: true;
}

function plain(name: string, messages: number, bytesEach: number): Maildrop {
  const bytes = messages * bytesEach;
  return { name, messages, bytes, folder: "cur", message: (serial) => plainMessage(serial, bytesEach) };
}

export const hundred = plain("hundred", 100, 5_000);
export const thousand = plain("thousand", 1_000, 5_000);
export const tenThousand = plain("ten-thousand", 10_000, 1_000);
export const hundredThousand = plain("hundred-thousand", 100_000, 1_000);
export const tenThousandTold: Maildrop = { ...tenThousand, name: "ten-thousand-told", told: true };
export const hundredThousandTold: Maildrop = {
  ...hundredThousand,
  name: "hundred-thousand-told",
  told: true,
};
export const large = plain("large", 8, 5_000_000);
/** 19 MiB: what `pop3-passwd` writes unless told otherwise. */
export const remembered: Maildrop = { ...hundred, name: "remembered", argon2Kib: 19 * 1024 };
export const emptied: Maildrop = { ...hundred, name: "emptied", folder: "new" };
export const idle = plain("idle", 2, 1_000);
export const sealed: Maildrop = { ...idle, name: "sealed", argon2Kib: 64 * 1024 };
export const swept: Maildrop = { ...plain("swept", 10_000, 1_000), linked: true };
export const mix: Maildrop = {
  name: "mix",
  messages: mixSizes.length,
  bytes: mixedBytes,
  message: (serial) => mixedMessage(serial),
  folder: "cur",
};

/** Long enough ago that no server holds a folder's time for too fresh to be trusted. */
const oneHourSeconds = 3600;

/** One home `<folder>/<maildrop>-<client>` for each client, each with its Maildir. */
export function layOutMaildrop(folder: string, owner: MailOwner, maildrop: Maildrop, clients: number): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  const names = Array.from({ length: maildrop.messages }, (_, index) => pathOf(maildrop, index + 1));
  const [first = ""] = names;
  const files = maildrop.linked
    ? new Map([[first, maildrop.message(1)]])
    : new Map(names.map((name, index) => [name, maildrop.message(index + 1)]));
  const then = Date.now() / 1000 - oneHourSeconds;
  for (let client = 0; client < clients; client++) {
    const maildir = layOutMaildir(join(folder, userName(maildrop, client)), owner, files);
    if (maildrop.linked)
      for (const name of names.slice(1)) linkSync(join(maildir, first), join(maildir, name));
    for (const name of ["new", "cur", "tmp"]) lutimesSync(join(maildir, name), then, then);
  }
}

export function userName(maildrop: Maildrop, client: number): string {
  return `${maildrop.name}-${client}`;
}

/**
 * A name as Postfix gives it: seconds, device and inode, microseconds, host. Inodes and microseconds jump about as
 * they do in life: names that differ in a counter alone collide in Dovecot's hash table and slow it down thirtyfold.
 */
function pathOf({ folder, told, message }: Maildrop, serial: number): string {
  const scattered = (factor: number, range: number): number => (serial * factor) % range;
  const inode = (0x20_0000 + scattered(7919, 1_000_003)).toString(16);
  const microseconds = scattered(618_033, 1_000_000);
  let baseName = `${1_700_000_000 + serial * 61}.Vfe00I${inode}M${microseconds}.mx.bench.test`;
  if (told) {
    const bytes = message(serial);
    const octets = bytes.length + bytes.toString("latin1").split("\n").length - 1;
    baseName += `,S=${bytes.length},W=${octets}`;
  }
  return folder === "new" ? `new/${baseName}` : `cur/${baseName}:2,S`;
}
