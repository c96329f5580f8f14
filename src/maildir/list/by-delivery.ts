// A listing's files in order of delivery, as the columns that a list keeps. Pure.
import { baseName, compareDelivery, deliveryTimeUs } from "../filename.ts";
import type { Folder } from "./folders.ts";

/** A second file with the base name of a message; it is not served. */
export interface Duplicate {
  readonly index: number;
  readonly folder: Folder;
  readonly name: string;
}

/** What a list is made of. */
export interface Columns {
  /** Holds all names; whatever else is in it does not matter. */
  readonly names: Buffer;
  /** Where each begins, and what it takes: 255 bytes at most. */
  readonly begins: Uint32Array;
  readonly lengths: Uint8Array;
  readonly baseLengths: Uint8Array;
  readonly folders: Uint8Array;
}

/** Of two with one base name the one listed later is served. */
export function byDelivery(
  names: readonly string[],
  folders: readonly Folder[],
): { readonly columns: Columns; readonly duplicates: readonly Duplicate[] } {
  const times = Float64Array.from(names, deliveryTimeUs);
  // An array, because its sort is quick on what is almost in order, as a listing mostly is.
  const order = Array.from(names, (_, position) => position).sort(
    (a, b) => compareDelivery(times[a]!, names[a]!, times[b]!, names[b]!) || a - b,
  );
  const sortedNames: string[] = [];
  const sortedFolders: Folder[] = [];
  const duplicates: Duplicate[] = [];
  let previousBase: string | undefined;
  for (const position of order) {
    const name = names[position]!;
    const base = baseName(name);
    if (base === previousBase) {
      const index = sortedNames.length - 1;
      duplicates.push({ index, folder: sortedFolders.pop()!, name: sortedNames.pop()! });
    }
    sortedNames.push(name);
    sortedFolders.push(folders[position]!);
    previousBase = base;
  }
  const begins = new Uint32Array(sortedNames.length);
  const lengths = new Uint8Array(sortedNames.length);
  const baseLengths = new Uint8Array(sortedNames.length);
  let end = 0;
  sortedNames.forEach((name, index) => {
    const colon = name.indexOf(":");
    baseLengths[index] = colon === -1 ? name.length : colon;
    begins[index] = end;
    lengths[index] = name.length;
    end += name.length;
  });
  // Copied: a buffer of its own, not a part of the pool that short ones come from.
  const bytes = Buffer.allocUnsafeSlow(end);
  bytes.write(sortedNames.join(""), "latin1");
  const columns = { names: bytes, begins, lengths, baseLengths, folders: Uint8Array.from(sortedFolders) };
  return { columns, duplicates };
}
