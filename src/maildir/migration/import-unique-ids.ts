// Freezes the unique-ids that another server gave a Maildir's messages, and its order, so that clients go on where they
// were. Called by `pop3-ctl import-uidl` through a process that runs as the mail's owner.
import { constants } from "node:fs";
import { type Failure, failureOf } from "../files/failure.ts";
import { codeOf } from "../files/files.ts";
import { IndexWriter } from "../list/index-file.ts";
import { type InheritedEntry, stampInherited, writeInherited } from "../list/inherited-file.ts";
import { listMessages } from "../list/list-messages.ts";
import { MessageList } from "../list/message-list.ts";
import { acquireLock } from "../lock/acquire-lock.ts";
import { whenFree } from "../lock/when-free.ts";
import type { MaildropEvent } from "../maildrop-event.ts";
import { type MaildropOptions, type MaildropSettings, maildropSettings } from "../maildrop-options.ts";
import { digestOf, isUniqueId, uniqueIdOf } from "../unique-id.ts";
import {
  COURIER_LIST,
  DOVECOT_LIST,
  type OldServer,
  type OldServerIds,
  type OldServerRequest,
  readOldServer,
} from "./read-old-server.ts";

export interface ImportRequest extends OldServerRequest {
  /** Dovecot's pop3_uidl_duplicates = rename. */
  readonly renamesDuplicates?: boolean | undefined;
  /** Changes what an earlier import froze. */
  readonly replace?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  /** How long to wait for a session that has the maildrop. */
  readonly lockWaitMs?: number | undefined;
}

export interface ImportCounts {
  readonly from: OldServer | "nothing";
  readonly format: string | null;
  readonly messages: number;
  /** With a unique-id of the old server. */
  readonly inherited: number;
  /** Of those in its list: not 1 to 70 characters of 0x21–0x7E, or another message's; they get one of ours. */
  readonly invalid: number;
  readonly duplicate: number;
  /** Messages whose unique-id or place is another one than before. */
  readonly changed: number;
}

export type ImportResult =
  /** They are frozen; or would be. */
  | ({ readonly kind: "imported" | "would-import" } & ImportCounts)
  /** All is as the old server had it. */
  | ({ readonly kind: "unchanged" } & ImportCounts)
  /** An earlier import froze others, and nothing is changed without `replace`. */
  | ({ readonly kind: "differs" } & ImportCounts)
  | { readonly kind: "missing" }
  | { readonly kind: "locked" }
  | Failure;

/** @param path of the Maildir, absolute; this process has its owner's uid */
export async function importUniqueIds(
  path: string,
  request: ImportRequest,
  options: MaildropOptions = {},
): Promise<ImportResult> {
  const settings = maildropSettings({ ...options, ...(request.dryRun === true && { lock: "none" }) });
  const { files, now } = settings;
  try {
    await files.stat(path);
  } catch (error) {
    return codeOf(error) === "ENOENT" ? { kind: "missing" } : failureOf(files, "open maildrop", path, error);
  }
  try {
    const acquired = await whenFree(() => acquireLock(path, settings), request.lockWaitMs ?? 0, now);
    if (acquired.kind === "locked") return acquired;
    try {
      return await importLocked(path, request, settings);
    } finally {
      await acquired.lock.release();
    }
  } catch (error) {
    return failureOf(files, "import unique-ids into", path, error);
  }
}

async function importLocked(
  path: string,
  request: ImportRequest,
  settings: MaildropSettings,
): Promise<ImportResult> {
  const { files } = settings;
  const listed = await listMessages(path, settings, "whatever their unique-ids");
  if (listed.kind === "failed") return listed;
  const before = listed.list;
  const isFrozen = (await stampInherited(files, path)) !== undefined || before.hasInherited;
  const old = await readOldServer(files, { path, list: before, parallel: settings.parallel }, request);
  if (old.kind === "failed") return old;
  if (old.kind === "no-list" && (request.from !== "auto" || request.replace === true) && before.count > 0) {
    return listMissing(path, request.from);
  }
  const own = ownList(before);
  const { entries, ...counted } = freezing(own, old, request.renamesDuplicates === true);
  const after = own.withInherited({ stamp: undefined, entries });
  let changed = 0;
  for (let index = 0; index < after.count; index++) {
    const isSame =
      before.baseName(index) === after.baseName(index) && before.uniqueId(index) === after.uniqueId(index);
    if (!isSame) changed++;
  }
  const counts: ImportCounts = {
    from: old.kind === "no-list" ? "filename" : old.from,
    format: old.kind === "list" ? old.format : null,
    messages: after.count,
    ...counted,
    changed,
  };
  // What an earlier import froze stays, and with it what it said where the old list is gone.
  if (old.kind === "no-list" && isFrozen) return { kind: "unchanged", ...counts, changed: 0 };
  const isIntact = before.hasInherited || !isFrozen;
  if (old.kind === "nothing" ? !isFrozen : changed === 0 && isIntact) return { kind: "unchanged", ...counts };
  if (isFrozen && request.replace !== true && old.kind !== "nothing") return { kind: "differs", ...counts };
  if (request.dryRun === true) return { kind: "would-import", ...counts };
  const code = await freeze(path, after, entries, settings);
  if (code === undefined) return { kind: "imported", ...counts };
  return failureOf(files, "write dewey-pop3.inherited or dewey-pop3.index in", path, { code });
}

function listMissing(maildir: string, from: ImportRequest["from"]): Failure {
  const name = new Map<ImportRequest["from"], string>([
    ["courier", COURIER_LIST],
    ["dovecot", DOVECOT_LIST],
    ["x-uidl", "message with an X-UIDL header"],
  ]).get(from);
  return {
    kind: "failed",
    code: "ENOENT",
    reason: `no ${name ?? "list of another server"} in ${maildir}`,
    permanent: true,
  };
}

/** @returns the errno's name where it could not be written */
async function freeze(
  path: string,
  list: MessageList,
  entries: readonly InheritedEntry[],
  settings: MaildropSettings,
): Promise<string | undefined> {
  const { files, now } = settings;
  // A mailbox process that remembers this maildrop looks at it anew only where a folder has changed.
  const fd = await files.open(`${path}/cur`, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await files.futimes(fd, now() / 1000, now() / 1000);
  } finally {
    files.close(fd);
  }
  const stamp = await writeInherited(files, path, entries, now());
  if (typeof stamp === "string") return stamp;
  list.setInheritedStamp(stamp);
  let code: string | undefined;
  const onEvent = (event: MaildropEvent): void => {
    if (event.kind === "index-not-written") code = event.code;
  };
  await new IndexWriter(path, list, { ...settings, onEvent }, true).finish(undefined);
  return code;
}

/** As they would be served had there been no other server. */
function ownList(list: MessageList): MessageList {
  const indexes = Array.from({ length: list.count }, (_, index) => index);
  const own = MessageList.fromListing(
    indexes.map((index) => list.name(index)),
    indexes.map((index) => list.folder(index)),
  );
  own.learnFrom(list);
  return own;
}

interface Freezing {
  readonly entries: readonly InheritedEntry[];
  readonly inherited: number;
  readonly invalid: number;
  readonly duplicate: number;
}

/** All messages that are there, in the order in which they are served from now on; no unique-id is there twice. */
function freezing(own: MessageList, old: OldServerIds, renamesDuplicates: boolean): Freezing {
  if (old.kind === "nothing") return { entries: [], inherited: 0, invalid: 0, duplicate: 0 };
  const left = new Set(Array.from({ length: own.count }, (_, index) => own.baseName(index)));
  const taken = new Set<string>();
  const entries: [base: string, id: string | undefined][] = [];
  let invalid = 0;
  let duplicate = 0;
  for (const [base, told] of old.kind === "list" ? old.entries : []) {
    if (!left.delete(base)) continue;
    if (told === undefined) {
      entries.push([base, undefined]);
      continue;
    }
    let id: string = told;
    for (let copy = 2; renamesDuplicates && taken.has(id); copy++) id = `${told}-${copy}`;
    if (!isUniqueId(id)) invalid++;
    else if (taken.has(id)) duplicate++;
    const isUsable = isUniqueId(id) && !taken.has(id);
    if (isUsable) taken.add(id);
    entries.push([base, isUsable ? id : undefined]);
  }
  const inherited = taken.size;
  for (const base of left) entries.push([base, undefined]);
  return {
    entries: entries.map(([base, id]) => [base, id ?? ownId(base, taken)]),
    inherited,
    invalid,
    duplicate,
  };
}

function ownId(base: string, taken: Set<string>): string {
  let id = uniqueIdOf(base);
  while (taken.has(id)) id = digestOf(`${id}\0${base}`);
  taken.add(id);
  return id;
}
