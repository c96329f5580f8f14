// A maildrop in storage of one's own, as a session sees it. Used by the library's session.
import { AS_STORED, type Counted, type Presentation, presentedOctets } from "../maildir/presentation.ts";
import { countWhole } from "../maildir/sizes/count-message.ts";
import type { UpdateRequest, UpdateResult } from "../maildir/update/update.ts";
import type { SurrogateKind } from "../mime/surrogate.ts";
import { MessageEncoder } from "../pop3/multi-line-response.ts";
import type {
  MessageContent,
  OpenedMessage,
  SessionMaildrop,
} from "../processes/mailbox/session-maildrop.ts";

/** What your storage is asked, for one session. Nothing of it may change for this session until `close`. */
export interface OwnMaildrop {
  /** In the order of their message numbers. A unique-id is 1 to 70 visible ASCII characters, and never given again (RFC 1939 §7). */
  readonly messages: readonly OwnMessage[];
  /** A message as it is stored, its lines ended by LF or CRLF; undefined: it is gone. @param index into `messages` */
  read(index: number): Promise<Stored | undefined> | Stored | undefined;
  /** QUIT: removes these for good. @returns those that could not be removed: [] where all are gone */
  remove(indexes: readonly number[]): Promise<readonly number[]> | readonly number[];
  /** The session is over, whoever ended it: somebody else may have the maildrop. Called once. */
  close?(): Promise<void> | void;
}

/** A stream is read into memory, message by message. */
export type Stored = Uint8Array | string | AsyncIterable<Uint8Array | string>;

export interface OwnMessage {
  readonly uniqueId: string;
  /**
   * As sent, where each line ends in CRLF (`octetsAsSent`). A message without is read and counted when a client asks for
   * sizes: leave it out where headers may be in UTF-8 (SMTPUTF8), of which not every client gets the same.
   */
  readonly octets?: number;
}

export function sessionMaildropOf(own: OwnMaildrop): SessionMaildrop {
  return new AdaptedMaildrop(own);
}

class AdaptedMaildrop implements SessionMaildrop {
  readonly #own: OwnMaildrop;
  readonly #sizes: (Size | undefined)[];
  #presentation: Presentation = AS_STORED;
  #settleClosed: () => void = () => {};
  #isClosed = false;
  readonly closed = new Promise<void>((resolve) => {
    this.#settleClosed = resolve;
  });

  constructor(own: OwnMaildrop) {
    for (const { uniqueId } of own.messages) {
      if (!/^[\x21-\x7e]{1,70}$/.test(uniqueId))
        throw new TypeError(
          `not a unique-id of 1 to 70 visible ASCII characters: ${JSON.stringify(uniqueId)}`,
        );
    }
    this.#own = own;
    this.#sizes = own.messages.map(({ octets }) =>
      octets === undefined ? undefined : { octets, traits: undefined },
    );
  }

  get count(): number {
    return this.#sizes.length;
  }

  get measured(): boolean {
    return !this.#sizes.includes(undefined);
  }

  get presentation(): Presentation {
    return this.#presentation;
  }

  present(presentation: Presentation): void {
    this.#presentation = presentation;
  }

  octets(index: number): number {
    const size = this.#sizes[index];
    return size === undefined ? 0 : presentedOctets(size, this.#presentation);
  }

  get totalOctets(): number {
    return this.#sizes.reduce((total, _, index) => total + this.octets(index), 0);
  }

  uniqueId(index: number): string {
    return this.#own.messages[index]!.uniqueId;
  }

  /** What cannot be read counts nothing: RETR will say so. */
  async measure(): Promise<void> {
    for (const [index, size] of this.#sizes.entries()) {
      if (size !== undefined) continue;
      if (this.#isClosed) return;
      const opened = await this.openMessage(index);
      this.#sizes[index] =
        opened.kind === "message" ? await opened.file.count(this.#presentation.surrogate) : NOTHING;
    }
  }

  readMessageNow(): undefined {
    return undefined;
  }

  async openMessage(index: number): Promise<OpenedMessage> {
    try {
      const content = await this.#own.read(index);
      if (content === undefined) return { kind: "gone" };
      return { kind: "message", file: new HeldMessage(await held(content)) };
    } catch (error) {
      const { code = "UNKNOWN" } = error as NodeJS.ErrnoException;
      return { kind: "failed", code, reason: String(error), permanent: false };
    }
  }

  counted(): undefined {
    return undefined;
  }

  correctOctets(index: number, { octets, traits }: Size): void {
    this.#sizes[index] = { octets, traits };
  }

  async update({ deleted }: UpdateRequest): Promise<UpdateResult> {
    const marked = [...deleted].sort((a, b) => a - b);
    const kept = await this.#remove(marked);
    const failed = kept.filter((index) => deleted.has(index)).map((index) => ({ index, code: "UNKNOWN" }));
    return { removed: marked.length - failed.length, alreadyGone: 0, failed, expired: 0 };
  }

  /** @returns what is still there; all of it where nobody knows */
  async #remove(marked: readonly number[]): Promise<readonly number[]> {
    if (marked.length === 0) return [];
    try {
      return await this.#own.remove(marked);
    } catch {
      return marked;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    void this.#finish();
  }

  async #finish(): Promise<void> {
    try {
      await this.#own.close?.();
    } catch {
      // The session is over all the same.
    }
    this.#settleClosed();
  }
}

async function held(content: Stored): Promise<Buffer> {
  if (typeof content === "string" || content instanceof Uint8Array) return Buffer.from(content);
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Of the message itself, and what makes it another for some clients. */
type Size = Pick<Counted, "octets" | "traits">;

const NOTHING: Size = { octets: 0, traits: undefined };

/** A message that is in memory. */
class HeldMessage implements MessageContent {
  readonly #content: Buffer;
  readonly counted = undefined;
  position = 0;

  constructor(content: Buffer) {
    this.#content = content;
  }

  get bytes(): number {
    return this.#content.length;
  }

  async read(buffer: Uint8Array, offset: number, length: number): Promise<number> {
    const part = this.#content.subarray(this.position, this.position + length);
    buffer.set(part, offset);
    this.position += part.length;
    return part.length;
  }

  async count(kind: SurrogateKind): Promise<Counted> {
    return countWhole(this.#content, kind);
  }

  close(): void {}
}

/** How many octets a message has as a client gets it: each line ends in CRLF. What LIST and STAT tell. */
export function octetsAsSent(message: Uint8Array | string): number {
  const content = Buffer.from(message);
  const encoder = new MessageEncoder();
  const output = Buffer.allocUnsafe(MessageEncoder.room(STEP_BYTES) + MessageEncoder.FINISH_ROOM);
  for (let at = 0; at < content.length; at += STEP_BYTES)
    encoder.encode(content.subarray(at, at + STEP_BYTES), output, 0);
  encoder.finish(output, 0);
  return encoder.octets;
}

const STEP_BYTES = 64 * 1024;
