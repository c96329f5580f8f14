// What a session after login needs of its maildrop: the seam between protocol and storage. A Maildir is one (class Maildrop);
// the library makes one of its user's own storage.
import type { Counted, Presentation } from "../../maildir/presentation.ts";
import type { UpdateRequest, UpdateResult } from "../../maildir/update/update.ts";
import type { SurrogateKind } from "../../mime/surrogate.ts";
import type { MaildropView } from "../../pop3/transaction-state.ts";

export interface SessionMaildrop extends MaildropView {
  /** Settles when nothing of it runs any more and its lock is free. */
  readonly closed: Promise<void>;
  /** Counts all unknown sizes; never rejects. */
  measure(): Promise<void>;
  /** A short message at once, where that keeps nobody waiting; undefined sends the caller to `openMessage`. */
  readMessageNow(index: number, buffer: Uint8Array): Uint8Array | undefined;
  openMessage(index: number): Promise<OpenedMessage>;
  /** How the client is sent messages that not every client can take as they are stored. */
  readonly presentation: Presentation;
  /** For a client whose choices were not known when it was opened: before anything is asked of it. */
  present(presentation: Presentation): void;
  /** What is known for certain of the message that `readMessageNow` has just read. */
  counted(index: number): Counted | undefined;
  /** What was counted while RETR sent it. */
  correctOctets(index: number, counted: Omit<Counted, "bytes">): void;
  update(request: UpdateRequest): Promise<UpdateResult>;
  /** Ends the session, without UPDATE or after it. Again is harmless. */
  close(): void;
}

export type OpenedMessage =
  | { readonly kind: "message"; readonly file: MessageContent }
  /** Another program removed it. */
  | { readonly kind: "gone" }
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly reason: string;
      readonly permanent: boolean;
    };

/** A stored message, read from its begin to its end. */
export interface MessageContent {
  /** Size as stored. */
  readonly bytes: number;
  /** If that is known for certain. */
  readonly counted: Counted | undefined;
  /** Bytes read so far. */
  readonly position: number;
  /** 0 at the end. One read at a time. */
  read(buffer: Uint8Array, offset: number, length: number): Promise<number>;
  count(kind: SurrogateKind): Promise<Counted>;
  close(): void;
}
