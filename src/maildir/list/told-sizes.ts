// Sizes that other POP3 servers of this Maildir have written down: the first login after a migration then reads no
// message. Read by the Maildir engine in the mailbox process, as the mail's owner, only where sizes are missing.
import { isPlausible, sizesFromName } from "../filename.ts";
import { readWholeFile } from "../files/read-whole-file.ts";
import type { MaildropSettings } from "../maildrop-options.ts";
import { parseSizelist } from "../other-servers/courier-sizelist.ts";
import { parseUidlist } from "../other-servers/dovecot-uidlist.ts";
import type { MessageList } from "./message-list.ts";
import { TOLD, UNKNOWN } from "./message-sizes.ts";

/**
 * Takes sizes from Dovecot's and Courier's lists where none is known. What they tell is checked at RETR.
 *
 * @returns whether there was one: our index should have it, so that the lists are read once
 */
export async function learnToldSizes(
  maildir: string,
  list: MessageList,
  { files, onEvent }: MaildropSettings,
): Promise<boolean> {
  const unknownBefore = list.sizes.unknownCount;
  for (const { name, parse } of LISTS) {
    if (list.sizes.unknownCount === 0) break;
    const path = `${maildir}/${name}`;
    const read = await readWholeFile(files, path, (2 * list.count + SPARE_RECORDS) * MAX_RECORD_BYTES);
    if (read.kind === "missing") continue;
    const told = read.kind === "octets" ? parse(read.octets) : read.reason;
    if (typeof told === "string") {
      onEvent({ kind: "told-sizes-unusable", path, reason: told });
      continue;
    }
    for (let index = 0; index < list.count; index++) {
      if (list.sizes.knowledge(index) !== UNKNOWN) continue;
      const base = list.baseName(index);
      const octets = told.get(base);
      const { bytes } = sizesFromName(base);
      if (octets !== undefined && (bytes === undefined || isPlausible(octets, bytes)))
        list.sizes.setOctets(index, TOLD, octets);
    }
  }
  return list.sizes.unknownCount < unknownBefore;
}

/** By base name; a string says why there are none. */
type ToldSizes = ReadonlyMap<string, number> | string;

const LISTS: readonly { readonly name: string; readonly parse: (octets: Buffer) => ToldSizes }[] = [
  { name: "dovecot-uidlist", parse: sizesOfUidlist },
  { name: "courierpop3dsizelist", parse: sizesOfSizelist },
];

function sizesOfUidlist(octets: Buffer): ToldSizes {
  const parsed = parseUidlist(octets);
  if (parsed.kind === "unusable") return parsed.reason;
  const sizes = new Map<string, number>();
  for (const { baseName, bytes, octets } of parsed.uidlist.records) {
    if (octets === undefined || (bytes !== undefined && !isPlausible(octets, bytes))) continue;
    sizes.set(baseName, octets);
  }
  return sizes;
}

function sizesOfSizelist(octets: Buffer): ToldSizes {
  const parsed = parseSizelist(octets);
  if (parsed.kind === "unusable") return parsed.reason;
  return new Map(parsed.sizelist.records.map((record) => [record.baseName, record.octets]));
}

/** A list may have as many records more than the maildrop has messages, and once again as many as it has. */
const SPARE_RECORDS = 10_000;

/** A file's name of 255 bytes at most, and some keys and numbers. */
const MAX_RECORD_BYTES = 500;
