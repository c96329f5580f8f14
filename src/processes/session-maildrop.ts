// What a session after login needs of its maildrop: the seam between protocol and storage. A Maildir is one (class Maildrop);
// the library makes one of its user's own storage.
import type { UpdateRequest, UpdateResult } from "../maildir/update.ts";
import type { MaildropView } from "../pop3/transaction-state.ts";

export interface SessionMaildrop extends MaildropView {
  /** Settles when nothing of it runs any more and its lock is free. */
  readonly closed: Promise<void>;
  /** Counts all unknown sizes; never rejects. */
  measure(): Promise<void>;
  /** A short message at once, where that keeps nobody waiting; undefined sends the caller to `openMessage`. */
  readMessageNow(index: number, buffer: Uint8Array): Uint8Array | undefined;
  openMessage(index: number): Promise<OpenedMessage>;
  /** What RETR really sent. */
  correctOctets(index: number, octets: number): void;
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
  /** As sent, if that is known for certain. */
  readonly octets: number | undefined;
  /** Bytes read so far. */
  readonly position: number;
  /** 0 at the end. One read at a time. */
  read(buffer: Uint8Array, offset: number, length: number): Promise<number>;
  countOctets(): Promise<number>;
  close(): void;
}
