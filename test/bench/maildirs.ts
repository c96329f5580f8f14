// The Maildirs that the bench measures on: generated once, then copied for each server, so that all begin with the
// same files, names and times, and none meets another's index.
import { chmodSync, lutimesSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { copyFolder, layOutMaildir } from "../peers/support/maildir.ts";
import { plainMessage } from "../peers/support/messages.ts";
import type { MailOwner } from "../support/mail-owner.ts";
import type { Maildrop } from "./workloads.ts";

/** Long enough ago that no server holds a folder's time for too fresh to be trusted. */
const oneHourSeconds = 3600;

/** One home `<folder>/<maildrop>-<client>` for each client, each with its Maildir. */
export function layOutMaildrop(folder: string, owner: MailOwner, maildrop: Maildrop, clients: number): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  const files = new Map<string, Buffer>();
  for (let serial = 1; serial <= maildrop.messages; serial++) {
    // As if fetched before and kept: in cur/, seen. Reading them again changes nothing on disk.
    files.set(`cur/${baseName(serial)}:2,S`, plainMessage(serial, maildrop.messageBytes));
  }
  const then = Date.now() / 1000 - oneHourSeconds;
  for (let client = 0; client < clients; client++) {
    const maildir = layOutMaildir(join(folder, userName(maildrop, client)), owner, files);
    for (const name of ["new", "cur", "tmp"]) lutimesSync(join(maildir, name), then, then);
  }
}

export async function copyMaildrops(from: string, to: string): Promise<void> {
  await copyFolder(from, to);
}

export function userName(maildrop: Maildrop, client: number): string {
  return `${maildrop.name}-${client}`;
}

/**
 * A name as Postfix gives it: seconds, device and inode, microseconds, host. Inodes and microseconds jump about as
 * they do in life: names that differ in a counter alone collide in Dovecot's hash table and slow it down thirtyfold.
 */
export function baseName(serial: number): string {
  const scattered = (factor: number, range: number): number => (serial * factor) % range;
  const inode = (0x20_0000 + scattered(7919, 1_000_003)).toString(16);
  const microseconds = scattered(618_033, 1_000_000);
  return `${1_700_000_000 + serial * 61}.Vfe00I${inode}M${microseconds}.mx.bench.test`;
}
