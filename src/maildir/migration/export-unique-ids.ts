// Has a Dovecot that takes over a Maildir tell the unique-ids that we told: saves them in its list. Called by
// `pop3-ctl export-uidl` through a process that runs as the mail's owner; nothing else of ours writes that list.
import { randomBytes } from "node:crypto";
import { type Failure, failureOf } from "../files/failure.ts";
import { codeOf, type Files } from "../files/files.ts";
import { readWholeFile } from "../files/read-whole-file.ts";
import { writeAndRename } from "../files/replace-file.ts";
import { listMessages } from "../list/list-messages.ts";
import type { MessageList } from "../list/message-list.ts";
import { acquireLock } from "../lock/acquire-lock.ts";
import { whenFree } from "../lock/when-free.ts";
import { type MaildropOptions, type MaildropSettings, maildropSettings } from "../maildrop-options.ts";
import { lockUidlist } from "../other-servers/uidlist-lock.ts";
import { type ExportedUidlist, exportUidlist, type ServedMessage } from "./export-uidlist.ts";
import { DOVECOT_LIST, MAX_LIST_BYTES } from "./read-old-server.ts";

export interface ExportRequest {
  /** Where Dovecot has its list when not in the Maildir. */
  readonly controlFolder?: string | undefined;
  readonly dryRun?: boolean | undefined;
  /** How long to wait for a session, or a Dovecot, that has the maildrop. */
  readonly lockWaitMs?: number | undefined;
}

export type ExportResult =
  | {
      readonly kind: "exported" | "would-export" | "unchanged";
      readonly messages: number;
      /** Messages whose record tells another unique-id or place than before, or is new. */
      readonly changed: number;
      /** Messages that Dovecot's list cannot name. */
      readonly unwritable: number;
      /** The list as it was before. */
      readonly backup: string | null;
    }
  | { readonly kind: "missing" }
  /** By one of our sessions; by a Dovecot that writes its list. */
  | { readonly kind: "locked"; readonly by: "session" | "dovecot" }
  | Failure;

/** @param path of the Maildir, absolute; this process has its owner's uid */
export async function exportUniqueIds(
  path: string,
  request: ExportRequest,
  options: MaildropOptions = {},
): Promise<ExportResult> {
  const isDry = request.dryRun === true;
  const settings = maildropSettings({ ...options, ...(isDry && { lock: "none", readOnly: true }) });
  const { files, now } = settings;
  const list = `${request.controlFolder ?? path}/${DOVECOT_LIST}`;
  const waitMs = request.lockWaitMs ?? 0;
  try {
    await files.stat(path);
  } catch (error) {
    return codeOf(error) === "ENOENT" ? { kind: "missing" } : failureOf(files, "open maildrop", path, error);
  }
  try {
    const acquired = await whenFree(() => acquireLock(path, settings), waitMs, now);
    if (acquired.kind === "locked") return { kind: "locked", by: "session" };
    try {
      if (isDry) return await exportLocked(path, list, request, settings);
      const locked = await whenFree(() => lockFor(files, list, now()), waitMs, now);
      if (locked.kind === "locked") return { kind: "locked", by: "dovecot" };
      try {
        return await exportLocked(path, list, request, settings);
      } finally {
        await locked.release();
      }
    } finally {
      await acquired.lock.release();
    }
  } catch (error) {
    return failureOf(files, "export unique-ids into", list, error);
  }
}

async function lockFor(files: Files, list: string, nowMs: number) {
  const release = await lockUidlist(files, list, nowMs);
  return release === "locked" ? { kind: "locked" as const } : { kind: "acquired" as const, release };
}

async function exportLocked(
  path: string,
  listPath: string,
  request: ExportRequest,
  settings: MaildropSettings,
): Promise<ExportResult> {
  const { files, now } = settings;
  const listed = await listMessages(path, settings);
  if (listed.kind === "failed") return listed;
  const read = await readWholeFile(files, listPath, MAX_LIST_BYTES);
  const exported: ExportedUidlist =
    read.kind === "unusable"
      ? read
      : exportUidlist(read.kind === "octets" ? read.octets : undefined, messagesOf(listed.list), {
          uidValidity: Math.floor(now() / 1000),
          guid: randomBytes(16).toString("hex"),
        });
  if (exported.kind === "unusable") return failureOf(files, "use", listPath, { code: exported.reason });
  const { changed, unwritable, octets } = exported;
  const told = { messages: listed.list.count, changed, unwritable, backup: null };
  if (changed === 0) return { kind: "unchanged", ...told };
  if (request.dryRun === true) return { kind: "would-export", ...told };
  const backup = read.kind === "missing" ? null : `${listPath}.${timestamp(now())}.bak`;
  if (backup !== null) await files.link(listPath, backup);
  const mode = await modeFor(files, read.kind === "missing" ? path : listPath);
  // Left behind by a run that was ended; nobody else makes it while the list is locked.
  const temporary = `${listPath}.tmp`;
  await files.unlink(temporary).catch(() => {});
  const code = await writeAndRename(files, temporary, listPath, [octets], mode);
  if (code !== undefined) return failureOf(files, "write", listPath, { code });
  return { kind: "exported", ...told, backup };
}

function messagesOf(list: MessageList): ServedMessage[] {
  return Array.from({ length: list.count }, (_, index) => ({
    name: list.name(index),
    baseName: list.baseName(index),
    uniqueId: list.uniqueId(index),
  }));
}

/** As Dovecot makes it: what may be read and written is what may be in the folder. */
async function modeFor(files: Files, path: string): Promise<number> {
  return Number((await files.lstat(path)).mode) & 0o666;
}

/** 20261125T170507: beside several runs, and in order. */
function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/[-:]|\.[0-9]+Z/g, "");
}
