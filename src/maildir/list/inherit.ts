// Gives a maildrop that was listed anew the unique-ids and the order that it has from another server, and refuses it where
// they are lost: a changed unique-id makes clients download every message again. Called by listMessages in the mailbox
// process.
import { deliveryTimeUs } from "../filename.ts";
import type { Failure } from "../files/failure.ts";
import type { MaildropSettings } from "../maildrop-options.ts";
import { INHERITED_FILE, readInherited, sameInherited } from "./inherited-file.ts";
import type { InheritedStamp, MessageList } from "./message-list.ts";

export interface InheritContext {
  readonly maildir: string;
  readonly settings: MaildropSettings;
  /** What the last session, or the index, knew. */
  readonly older: MessageList | undefined;
  /** Of `dewey-pop3.inherited` as it is now; undefined where there is none. */
  readonly stamp: InheritedStamp | undefined;
  /** The index cannot be used, but can be seen to have told inherited unique-ids. */
  readonly isIndexLost: boolean;
}

export type Inheriting =
  /** `isNew`: `dewey-pop3.index` does not say so yet. */
  { readonly kind: "list"; readonly list: MessageList; readonly isNew: boolean } | Failure;

export async function inherit(list: MessageList, context: InheritContext): Promise<Inheriting> {
  const { maildir, settings, older, stamp, isIndexLost } = context;
  const known = older?.hasInherited === true ? older : undefined;
  if (stamp === undefined) {
    if (known !== undefined) return fromKnown(list, known);
    if (isIndexLost && list.count > FEW_MESSAGES)
      return refusal(maildir, list.count, `${INHERITED_FILE} is missing`);
    return { kind: "list", list, isNew: false };
  }
  if (known !== undefined && sameInherited(known.inheritedStamp, stamp)) {
    const arranged = list.withInherited({ stamp, entries: known.inheritedEntries() });
    // Messages that were there before and are there again: a folder that was not mounted for a while.
    if (olderThan(arranged, stamp, arranged.inheritedCount) === 0)
      return { kind: "list", list: arranged, isNew: false };
  }
  const read = await readInherited(settings.files, maildir);
  if (read.kind === "inherited") {
    const arranged = list.withInherited({ stamp, entries: read.entries });
    const strangers = olderThan(list, stamp, 0);
    const isWrong = known === undefined && read.entries.length > 0 && arranged.inheritedCount === 0;
    if (isWrong && strangers > FEW_MESSAGES)
      return refusal(maildir, strangers, `${INHERITED_FILE} names none of the messages`);
    return { kind: "list", list: arranged, isNew: true };
  }
  const reason = read.kind === "missing" ? "missing" : read.reason;
  settings.onEvent({ kind: "inherited-unusable", path: `${maildir}/${INHERITED_FILE}`, reason });
  if (known !== undefined) return fromKnown(list, known);
  if (list.count > FEW_MESSAGES)
    return refusal(maildir, list.count, `${INHERITED_FILE} cannot be used (${reason})`);
  return { kind: "list", list, isNew: false };
}

/** Without the file, which is written anew before the index. */
function fromKnown(list: MessageList, known: MessageList): Inheriting {
  const entries = known.inheritedEntries();
  return { kind: "list", list: list.withInherited({ stamp: undefined, entries }), isNew: true };
}

/** So many messages downloaded again are no disaster. */
const FEW_MESSAGES = 3;

/** Messages from this one on that were delivered before `dewey-pop3.inherited` was written. */
function olderThan(list: MessageList, { mtimeNs }: InheritedStamp, begin: number): number {
  const writtenAtUs = Number(mtimeNs / 1000n);
  let count = 0;
  for (let index = begin; index < list.count; index++) {
    const timeUs = deliveryTimeUs(list.baseName(index));
    if (timeUs > 0 && timeUs < writtenAtUs) count++;
  }
  return count;
}

function refusal(maildir: string, count: number, why: string): Failure {
  return {
    kind: "failed",
    code: "UNIQUE-IDS-LOST",
    reason:
      `cannot open maildrop ${maildir}: unique-ids would change for ${count} messages, which clients would download ` +
      `again: dewey-pop3.index is lost and ${why}. Restore one of the two files from a backup; or, while the old ` +
      'server\'s list is there, run "pop3-ctl import-uidl ACCOUNT --replace"; or confirm the change with ' +
      '"pop3-ctl import-uidl ACCOUNT --forget"',
    permanent: false,
  };
}
