// One session of a test on a Maildir, from opening to closing, and what it did to the files.
import { type Files, systemFiles } from "../../src/maildir/files/files.ts";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import type { MaildropEvent } from "../../src/maildir/maildrop-event.ts";
import type { MaildropOptions } from "../../src/maildir/maildrop-options.ts";
import type { UpdateResult } from "../../src/maildir/update/update.ts";
import type { ScratchMaildir } from "./scratch-maildir.ts";

export interface SessionReport {
  /** By unique-id. */
  readonly octets: Record<string, number>;
  /** Messages opened. */
  readonly opened: number;
  /** Listings of new/ and cur/. */
  readonly listed: number;
  readonly events: MaildropEvent[];
}

/** Opens, measures, closes. */
export async function session(
  maildir: ScratchMaildir,
  options: MaildropOptions = {},
): Promise<SessionReport> {
  let opened = 0;
  let listed = 0;
  const events: MaildropEvent[] = [];
  const base = options.files ?? systemFiles;
  const files: Files = {
    ...base,
    open: (path, flags, mode) => {
      if (/\/(?:new|cur)\/[^/]+$/.test(String(path))) opened++;
      return base.open(path, flags, mode);
    },
    list: (path) => {
      if (/\/(?:new|cur)$/.test(String(path))) listed++;
      return base.list(path);
    },
  };
  const result = await Maildrop.open(maildir.path, {
    ...options,
    files,
    onEvent: (event) => events.push(event),
  });
  if (result.kind !== "open") throw new Error(result.kind);
  const { maildrop } = result;
  await maildrop.measure();
  const octets = Object.fromEntries(
    Array.from({ length: maildrop.count }, (_, index) => [maildrop.uniqueId(index), maildrop.octets(index)]),
  );
  const total = Object.values(octets).reduce((sum, each) => sum + each, 0);
  if (maildrop.totalOctets !== total)
    throw new Error(`STAT would tell ${maildrop.totalOctets}, LIST ${total}`);
  maildrop.close();
  await maildrop.closed;
  return { octets, opened, listed, events };
}

/** Opens, enters the UPDATE state, closes. Without `deleted` every message is marked. */
export async function updateSession(
  maildir: ScratchMaildir,
  options: MaildropOptions = {},
  {
    deleted,
    retrieved = [],
  }: { readonly deleted?: readonly number[]; readonly retrieved?: readonly number[] } = {},
): Promise<UpdateResult & { readonly events: MaildropEvent[] }> {
  const events: MaildropEvent[] = [];
  const opened = await Maildrop.open(maildir.path, { onEvent: (event) => events.push(event), ...options });
  if (opened.kind !== "open") throw new Error(opened.kind);
  const { maildrop } = opened;
  const marked = deleted ?? Array.from({ length: maildrop.count }, (_, index) => index);
  const result = await maildrop.update({ deleted: new Set(marked), retrieved: new Set(retrieved) });
  maildrop.close();
  await maildrop.closed;
  return { ...result, events };
}
