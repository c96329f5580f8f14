// Reads one account's mail for pop3-ctl, which starts it by exec with the uid of the mail's owner: mail is parsed here and
// nowhere else. Takes one request from standard input, answers by JSON lines on standard output.
import { readdir, stat } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { text } from "node:stream/consumers";
import { type HeaderValue, simpleParser } from "mailparser";
import { describeErrorCode } from "../../accounts/file/file-error.ts";
import { Maildrop } from "../../maildir/maildrop.ts";
import type { MaildropOptions } from "../../maildir/maildrop-options.ts";
import { exportUniqueIds } from "../../maildir/migration/export-unique-ids.ts";
import { importUniqueIds } from "../../maildir/migration/import-unique-ids.ts";
import { obstacleToMaking } from "../../maildir/missing-maildir.ts";
import { AS_STORED, type Presentation } from "../../maildir/presentation.ts";
import { undelete } from "../../maildir/update/undelete.ts";
import { warmIndex } from "../../maildir/warm.ts";
import { messageHeader, readMessage } from "./mail-headers.ts";
import { type MailboxAnswer, type MailboxRequest, mailboxRequest } from "./mailbox-protocol.ts";

/** More than anybody reads on a terminal; an attachment behind it is not shown. */
const MAX_SHOWN_BYTES = 8 * 1024 * 1024;
const PROGRESS_MS = 100;

const request = mailboxRequest.parse(JSON.parse(await text(process.stdin)));
const stop = new AbortController();
// Ctrl-C reaches this process, too: what was counted is kept.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
await answer(request);

function say(message: MailboxAnswer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function answer(asked: MailboxRequest): Promise<void> {
  switch (asked.kind) {
    case "list":
      return withMaildrop(asked.maildir, (maildrop) => list(maildrop, asked));
    case "show":
      return withMaildrop(asked.maildir, (maildrop) => show(maildrop, asked.number));
    case "status":
      return status(asked);
    case "undelete":
      return putBack(asked);
    case "warm":
      return warm(asked);
    case "preview":
      return preview(asked.maildir);
    case "import":
      return importIds(asked);
    case "export":
      return exportIds(asked);
    default:
      return asked satisfies never;
  }
}

/** Without its lock: a session under way is not disturbed. */
async function withMaildrop(
  path: string,
  act: (maildrop: Maildrop) => Promise<void>,
  options: MaildropOptions = {},
): Promise<void> {
  if (await isMissing(path)) return say(missing(path));
  const opened = await Maildrop.open(path, { ...options, lock: "none" });
  if (opened.kind === "locked") return say({ kind: "locked" });
  if (opened.kind === "failed") return say({ kind: "failed", reason: opened.reason });
  try {
    await act(opened.maildrop);
  } finally {
    opened.maildrop.close();
    await opened.maildrop.closed;
  }
}

function missing(path: string): MailboxAnswer {
  const obstacle = obstacleToMaking(path);
  if (obstacle === undefined) return { kind: "missing" };
  const { at, code } = obstacle;
  const reason = `${path} is not there, and uid ${process.getuid?.()} cannot make it in ${at} (${describeErrorCode(code)})`;
  return { kind: "failed", reason };
}

async function isMissing(path: string): Promise<boolean> {
  return stat(`${path}/cur`).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ENOENT",
  );
}

async function list(maildrop: Maildrop, asked: MailboxRequest & { kind: "list" }): Promise<void> {
  if (asked.number !== undefined && asked.number > maildrop.count)
    return noSuchMessage(maildrop, asked.number);
  await maildrop.measure();
  const first = asked.number ?? Math.max(1, maildrop.count - (asked.last ?? maildrop.count) + 1);
  for (let number = first; number <= (asked.number ?? maildrop.count); number++) {
    const header = await messageHeader(maildrop, number);
    if (header !== undefined) say({ kind: "message", ...header });
    if (stop.signal.aborted) return;
  }
}

async function show(maildrop: Maildrop, number: number): Promise<void> {
  if (number > maildrop.count) return noSuchMessage(maildrop, number);
  await maildrop.measure();
  const header = await messageHeader(maildrop, number);
  const read = await readMessage(maildrop, number, MAX_SHOWN_BYTES);
  if (header === undefined || read === undefined) {
    return say({ kind: "failed", reason: `message ${number} cannot be read` });
  }
  const parsed = await simpleParser(read.bytes, { skipImageLinks: true, skipTextToHtml: true });
  say({
    kind: "content",
    ...header,
    headers: parsed.headerLines.map(({ key, line }) => ({
      name: line.slice(0, line.indexOf(":")).trim() || key,
      value: decodedHeader(parsed.headers.get(key)) ?? line.slice(line.indexOf(":") + 1).trim(),
    })),
    text: parsed.text ?? "",
    attachments: parsed.attachments.map(({ filename, contentType, size }) => ({
      name: filename ?? "",
      type: contentType,
      bytes: size,
    })),
    isCut: read.isCut,
  });
}

/** Undefined for what mailparser takes apart further, or has several of: that is shown as it stands. */
function decodedHeader(value: HeaderValue | undefined): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "object" && "text" in value && typeof value.text === "string"
    ? value.text
    : undefined;
}

function noSuchMessage(maildrop: Maildrop, number: number): void {
  say({ kind: "failed", reason: `no message ${number}, the maildrop has ${maildrop.count}` });
}

async function status({ maildir, lock, sharedStorage }: MailboxRequest & { kind: "status" }): Promise<void> {
  await withMaildrop(maildir, async (maildrop) => {
    let octets = 0;
    let uncounted = 0;
    for (let index = 0; index < maildrop.count; index++) {
      if (maildrop.octets(index) === 0) uncounted++;
      octets += maildrop.octets(index);
    }
    const newMessages = (await readdir(`${maildir}/new`).catch(() => [])).filter(
      (name) => !name.startsWith("."),
    );
    const locked = await Maildrop.open(maildir, { lock, sharedStorage });
    if (locked.kind === "open") {
      locked.maildrop.close();
      await locked.maildrop.closed;
    }
    say({
      kind: "status",
      messages: maildrop.count,
      octets,
      uncounted: maildrop.measured ? 0 : uncounted,
      newMessages: newMessages.length,
      isLocked: locked.kind === "locked",
    });
  });
}

async function putBack({
  maildir,
  lock,
  sharedStorage,
  sinceMs,
}: MailboxRequest & { kind: "undelete" }): Promise<void> {
  if (await isMissing(maildir)) return say(missing(maildir));
  const result = await undelete(maildir, { lock, sharedStorage, sinceMs });
  if (result.kind === "failed") return say({ kind: "failed", reason: result.reason });
  if (result.kind === "locked") return say(result);
  say({ ...result, failed: result.failed.map(({ path, code }) => ({ path, code })) });
}

async function warm({
  kind: _,
  maildir,
  surrogate,
  ...storage
}: MailboxRequest & { kind: "warm" }): Promise<void> {
  setPriority(constants.priority.PRIORITY_LOW);
  let saidAtMs = 0;
  // Also what another server has told: it knew nothing of headers in UTF-8.
  const presentation: Presentation = { ...AS_STORED, surrogate, utf8Headers: "surrogate" };
  const options = { presentation, toldCheckMs: Number.POSITIVE_INFINITY };
  const result = await warmIndex(maildir, { ...storage, ...options, signal: stop.signal }, (progress) => {
    const nowMs = performance.now();
    if (nowMs - saidAtMs < PROGRESS_MS) return;
    saidAtMs = nowMs;
    say({ kind: "progress", ...progress });
  });
  if (result.kind === "failed") say({ kind: "failed", reason: result.reason });
  else say(result);
}

async function preview(maildir: string): Promise<void> {
  const asServed = async (maildrop: Maildrop): Promise<void> => {
    await maildrop.measure();
    for (let index = 0; index < maildrop.count; index++) {
      say({ kind: "previewed", uniqueId: maildrop.uniqueId(index), octets: maildrop.octets(index) });
    }
  };
  await withMaildrop(maildir, asServed, { readOnly: true });
}

async function importIds({
  kind: _,
  maildir,
  lock,
  sharedStorage,
  ...request
}: MailboxRequest & { kind: "import" }): Promise<void> {
  const { kind, ...imported } = await importUniqueIds(maildir, request, { lock, sharedStorage });
  if ("reason" in imported) say({ kind: "failed", reason: imported.reason });
  else say({ kind: "import", result: kind, ...imported } as MailboxAnswer);
}

async function exportIds({
  kind: _,
  maildir,
  lock,
  sharedStorage,
  ...request
}: MailboxRequest & { kind: "export" }): Promise<void> {
  // Dovecot's list is made with the rights of its folder, as Dovecot makes it; all files of ours say theirs themselves.
  process.umask(0);
  const { kind, ...exported } = await exportUniqueIds(maildir, request, { lock, sharedStorage });
  if ("reason" in exported) say({ kind: "failed", reason: exported.reason });
  else say({ kind: "export", result: kind, ...exported } as MailboxAnswer);
}
