// How a removed message is named while it is kept for an undo: its own name, with the time of its removal behind the base
// name. Pure; used where messages are kept, pruned and put back.
import { baseName } from "../filename.ts";

// The time stands in the name, where it outlives what changes a file's times (an IMAP program's flags, a restore, chown),
// costs no stat(2) to read, and the message is not rewritten for it. Behind Maildir++'s own tags, in their form, so that
// `,S=` in front of it still tells the size:
//
//   1276533073.M242911P3632.kurkku,S=2433,D=1764075600:2,S

/** @param atSeconds since 1970 */
export function keptName(name: string, atSeconds: number): string {
  const base = baseName(name);
  return `${base},D=${atSeconds}${name.slice(base.length)}`;
}

/** The name that the message had. */
export function originalName(name: string): string {
  const base = baseName(name);
  return base.replace(TAG, "") + name.slice(base.length);
}

/** Undefined where the name does not tell: it was too long for it, or another program put the file there. */
export function removalTimeMs(name: string): number | undefined {
  const seconds = TAG.exec(baseName(name))?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

const TAG = /,D=([0-9]{1,11})$/;
