// Counts the sizes that nobody knows, a few messages at a time, each streamed. Called by Maildrop in the mailbox process
// when the first command asks for sizes.
import { failureOf } from "./failure.ts";
import { sizesFromName } from "./filename.ts";
import type { MaildropSettings } from "./maildrop-options.ts";
import { COUNT_BUFFER_BYTES, openRegularFile } from "./message.ts";
import { COUNTED, GUESSED, type MessageList, UNKNOWN } from "./message-list.ts";
import { type MessagePlaces, pathOf, whereverItStands } from "./message-places.ts";
import { countOctets } from "./octets.ts";
import { forEachParallel } from "./parallel.ts";

export interface MeasureContext {
  readonly list: MessageList;
  readonly places: MessagePlaces;
  readonly settings: MaildropSettings;
  /** Asked between reads. */
  shouldStop(): boolean;
  onCounted(bytes: number): void;
}

/** Never rejects: what cannot be read gets a guess, because LIST needs a number; RETR will say what is wrong. */
export async function measureMessages(context: MeasureContext): Promise<void> {
  const { list, settings, shouldStop } = context;
  const failures: { index: number; code: string }[] = [];
  const buffers: Buffer[] = [];
  await forEachParallel(unknownIn(list), settings.parallel, async (index) => {
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

function* unknownIn(list: MessageList): Generator<number> {
  for (let index = 0; index < list.count; index++) {
    if (list.knowledge(index) === UNKNOWN) yield index;
  }
}

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
      const counted = await countOctets(files, opened.fd, buffer, opened.bytes, shouldStop);
      if (counted !== undefined && list.knowledge(index) !== COUNTED) {
        list.setOctets(index, COUNTED, counted.octets, counted.bytes);
        onCounted(counted.bytes);
      }
    } finally {
      files.close(opened.fd);
    }
  });
  if (found.kind === "done") return undefined;
  list.setOctets(index, GUESSED, sizesFromName(list.baseName(index)).bytes ?? 0);
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
