// When each device last logged in: lines "id:2026-11-25T13:20Z" of a file that the auth process writes to, rarely and behind the
// login's back, and that pop3-passwd reads for its list. Lost or damaged, it costs these times and nothing else.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tryFlock } from "../../host/flock.ts";
import { describeFileError, errorCode } from "../file/file-error.ts";

export interface DeviceUsesOptions {
  readonly path: string;
  /** Which devices exist still: what the others left is dropped at the next write. */
  readonly isKnown: (id: string) => boolean;
  /** Told once for each reason: last uses are not written. */
  readonly onFault: (reason: string) => void;
  readonly now?: () => Date;
  readonly writeDelayMs?: number;
}

export class DeviceUses {
  readonly #options: DeviceUsesOptions;
  readonly #now: () => Date;
  readonly #written = new Map<string, number>();
  readonly #pending = new Map<string, Date>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #toldFault: string | undefined;

  constructor(options: DeviceUsesOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => new Date());
  }

  /** Costs a look into a table; the file is written later, once an hour for each device at most. */
  note(id: string): void {
    const now = this.#now();
    if (now.getTime() - (this.#written.get(id) ?? Number.NEGATIVE_INFINITY) < RESOLUTION_MS) return;
    this.#written.set(id, now.getTime());
    this.#pending.set(id, now);
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.writeDelayMs ?? WRITE_DELAY_MS).unref();
  }

  /** Writes what was noted; resolves when it is written, or when that could not be done. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (this.#pending.size === 0) return;
    try {
      const file = await open(
        this.#options.path,
        constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      try {
        // Another auth process, at a restart: what stays pending comes with the next use.
        if (!tryFlock(file.fd)) return;
        await this.#merge(file);
      } finally {
        await file.close();
      }
    } catch (error) {
      const reason = describeFileError(error);
      if (reason !== this.#toldFault) this.#options.onFault(`${this.#options.path}: ${reason}`);
      this.#toldFault = reason;
    }
  }

  // In place: the folder is not the auth process's to write in.
  async #merge(file: FileHandle): Promise<void> {
    const uses = parseDeviceUses((await readAtMost(file, MAX_BYTES)).toString("latin1"));
    const pending = [...this.#pending];
    for (const [id, date] of pending) uses.set(id, `${date.toISOString().slice(0, 16)}Z`);
    const lines = [...uses]
      .filter(([id]) => this.#options.isKnown(id))
      .map(([id, date]) => `${id}:${date}\n`);
    const content = Buffer.from(lines.join(""));
    await file.write(content, 0, content.length, 0);
    await file.truncate(content.length);
    for (const [id, date] of pending) if (this.#pending.get(id) === date) this.#pending.delete(id);
  }
}

/** By id. Lines of any other form are dropped: whoever may write to the file can claim a use, and nothing else. */
export function parseDeviceUses(content: string): Map<string, string> {
  const lines = content.matchAll(/^([0-9a-f]{12}):(\d{4}-\d\d-\d\dT\d\d:\d\dZ)$/gm);
  return new Map([...lines].map(([, id = "", date = ""]) => [id, date]));
}

/** For pop3-passwd; without the file nobody has logged in yet. */
export async function readDeviceUses(path: string): Promise<ReadonlyMap<string, string>> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return parseDeviceUses(
      (await readAtMost(file, MAX_BYTES).finally(() => file.close())).toString("latin1"),
    );
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return new Map();
  }
}

const RESOLUTION_MS = 3_600_000;
const WRITE_DELAY_MS = 3000;
const MAX_BYTES = 16 * 1024 * 1024;

async function readAtMost(file: FileHandle, maxBytes: number): Promise<Buffer> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.min(size, maxBytes));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  return buffer.subarray(0, bytesRead);
}
