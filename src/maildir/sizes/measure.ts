// Counts the sizes that nobody knows, a few messages at a time, each streamed. Called by Maildrop in the mailbox process
// when the first command asks for sizes.
import { isPlausible, sizesFromName } from "../filename.ts";
import { failureOf } from "../files/failure.ts";
import { forEachParallel } from "../files/parallel.ts";
import { MAX_QUICK_BYTES } from "../files/quick-reads.ts";
import { Turns } from "../files/turns.ts";
import type { MessageList } from "../list/message-list.ts";
import { type MessagePlaces, pathOf, whereverItStands } from "../list/message-places.ts";
import { COUNTED, GUESSED, TOLD, TOLD_FOR_ALL, UNKNOWN } from "../list/message-sizes.ts";
import type { MaildropSettings } from "../maildrop-options.ts";
import { COUNT_BUFFER_BYTES, openRegularFile } from "../message.ts";
import { countFile, countWhole } from "./count-message.ts";
import { isSameForAll, LOOK_BYTES } from "./look-at-header.ts";

export interface MeasureContext {
  readonly list: MessageList;
  readonly places: MessagePlaces;
  readonly settings: MaildropSettings;
  /** How long to look at the headers of messages whose size somebody has told; 0: what is told is believed. */
  readonly toldCheckMs: number;
  /** A short message's bytes at once, where that keeps nobody waiting (see `QuickReads`). */
  readNow(index: number, buffer: Uint8Array): Uint8Array | undefined;
  /** Asked between reads. */
  shouldStop(): boolean;
  onCounted(bytes: number): void;
}

/** Never rejects: what cannot be read gets a guess, because LIST needs a number; RETR will say what is wrong. */
export async function measureMessages(context: MeasureContext): Promise<void> {
  const { list, settings, shouldStop } = context;
  const failures: { index: number; code: string }[] = [];
  const buffers: Buffer[] = [];
  const turns = new Turns();
  await forEachParallel(notCountedNow(context, turns), settings.parallel, async (index) => {
    if (index === TURN_OVER) {
      await turns.next();
      return;
    }
    if (shouldStop()) return;
    const buffer = buffers.pop() ?? takeBuffer();
    const code = await measureMessage(context, index, buffer);
    buffers.push(buffer);
    if (code !== undefined) failures.push({ index, code });
  });
  buffers.forEach(giveBackBuffer);
  const [first] = failures;
  if (first === undefined) return;
  const { index, code } = first;
  const path = String(pathOf(context.places.maildir, context.places.place(index)));
  const { reason } = await failureOf(settings.files, "read message", path, { code });
  const uniqueId = list.uniqueId(index);
  settings.onEvent({ kind: "not-measured", count: failures.length, uniqueId, code, cause: reason });
}

/** The newest told ones first: a client fetches them next. */
function* uncountedIn({ list, toldCheckMs }: MeasureContext): Generator<number> {
  for (let index = 0; index < list.count; index++) {
    if (list.sizes.knowledge(index) === UNKNOWN) yield index;
  }
  const endMs = performance.now() + toldCheckMs;
  for (let index = list.count - 1; index >= 0; index--) {
    if (list.sizes.toldCount === 0 || performance.now() >= endMs) return;
    if (list.sizes.knowledge(index) === TOLD) yield index;
  }
}

/** Counts what can be counted at once, and yields the rest; in between, that others are to have a turn. */
function* notCountedNow(context: MeasureContext, turns: Turns): Generator<number | typeof TURN_OVER> {
  for (const index of uncountedIn(context)) {
    while (turns.isAwaited) yield TURN_OVER;
    if (context.shouldStop()) return;
    if (!countNow(context, index)) yield index;
    else if (turns.isOver) yield TURN_OVER;
  }
}

const TURN_OVER = "turn over";

/** False leaves it to the thread pool, and whatever is unusual about the message, too. */
function countNow({ list, settings, readNow, onCounted }: MeasureContext, index: number): boolean {
  const bytes = readNow(index, quickBuffer);
  if (bytes === undefined) return false;
  const counted = countWhole(bytes, settings.presentation.surrogate);
  list.sizes.setCounted(index, counted);
  onCounted(counted.bytes);
  return true;
}

/** Filled and counted without anything in between, so one serves every session of the process. No Buffer: their parts cost more. */
const quickBuffer = new Uint8Array(MAX_QUICK_BYTES);

/** Returns the errno's name when the octets had to be guessed. */
async function measureMessage(
  { list, places, settings, shouldStop, onCounted }: MeasureContext,
  index: number,
  buffer: Buffer,
): Promise<string | undefined> {
  const { files } = settings;
  const found = await whereverItStands(places, index, async (path) => {
    const opened = await openRegularFile(files, path);
    if (opened.kind === "not-a-file") throw Object.assign(new Error("not a file"), { code: "EFTYPE" });
    try {
      const file = { fd: opened.fd, buffer, expectedBytes: opened.bytes };
      if (
        list.sizes.knowledge(index) === TOLD &&
        opened.bytes > LOOK_BYTES &&
        isPlausible(list.sizes.octets(index), opened.bytes) &&
        isSameForAll(buffer.subarray(0, await files.read(opened.fd, buffer, 0, LOOK_BYTES, 0)))
      ) {
        if (list.sizes.knowledge(index) === TOLD)
          list.sizes.setOctets(index, TOLD_FOR_ALL, list.sizes.octets(index));
        onCounted(opened.bytes);
        return;
      }
      const counted = await countFile(files, file, settings.presentation.surrogate, shouldStop);
      if (counted !== undefined && list.sizes.knowledge(index) !== COUNTED) {
        list.sizes.setCounted(index, counted);
        onCounted(counted.bytes);
      }
    } finally {
      files.close(opened.fd);
    }
  });
  if (found.kind === "done") return undefined;
  if (list.sizes.knowledge(index) === TOLD) return found.kind === "failed" ? found.code : undefined;
  list.sizes.setOctets(index, GUESSED, sizesFromName(list.baseName(index)).bytes ?? 0);
  return found.kind === "failed" ? found.code : undefined;
}

const MAX_POOLED = 16;
const pool: Buffer[] = [];

function takeBuffer(): Buffer {
  return pool.pop() ?? Buffer.allocUnsafeSlow(COUNT_BUFFER_BYTES);
}

function giveBackBuffer(buffer: Buffer): void {
  if (pool.length < MAX_POOLED) pool.push(buffer);
}
