// What is known of the sizes of a maildrop's messages, as columns, and how many are known how well. Part of a MessageList.
import type { SurrogateKind } from "../../mime/surrogate.ts";
import type { Counted, Traits } from "../presentation.ts";

/** How the octets of a message came to be known. */
export const UNKNOWN = 0;
/** A stand-in for a message that cannot be read; never stored. */
export const GUESSED = 1;
/** Told by a name's `,W=` or another server's list. */
export const TOLD = 2;
/** Told, and the same for every client: its headers were looked at. */
export const TOLD_FOR_ALL = 3;
/** Counted by us in a file of the size that `bytes` says. */
export const COUNTED = 4;
export type Knowledge = typeof UNKNOWN | typeof GUESSED | typeof TOLD | typeof TOLD_FOR_ALL | typeof COUNTED;

/** What is known of their sizes; unknown ones have 0. */
export interface SizeColumns {
  readonly octets: Float64Array;
  readonly bytes: Float64Array;
  readonly knowledge: Uint8Array;
  /** Of counted messages, few of which have any. */
  readonly traits: Map<number, Traits> | undefined;
}

export class MessageSizes {
  readonly #octets: Float64Array;
  readonly #bytes: Float64Array;
  readonly #knowledge: Uint8Array;
  #traits: Map<number, Traits> | undefined;
  #unknownCount = 0;
  #toldCount = 0;
  #totalOctets = 0;

  constructor({ octets, bytes, knowledge, traits }: SizeColumns) {
    this.#octets = octets;
    this.#bytes = bytes;
    this.#knowledge = knowledge;
    this.#traits = traits;
    for (let index = 0; index < knowledge.length; index++) {
      this.#totalOctets += octets[index]!;
      if (knowledge[index] === UNKNOWN) this.#unknownCount++;
      else if (knowledge[index] === TOLD) this.#toldCount++;
    }
  }

  static unknown(count: number): MessageSizes {
    return new MessageSizes({
      octets: new Float64Array(count),
      bytes: new Float64Array(count),
      knowledge: new Uint8Array(count),
      traits: undefined,
    });
  }

  /** Messages whose size nobody knows yet. */
  get unknownCount(): number {
    return this.#unknownCount;
  }

  /** Messages whose size somebody has told, and whose headers nobody has looked at. */
  get toldCount(): number {
    return this.#toldCount;
  }

  knowledge(index: number): Knowledge {
    return this.#knowledge[index] as Knowledge;
  }

  /** Octets as sent; 0 while unknown. */
  octets(index: number): number {
    return this.#octets[index]!;
  }

  /** Of all messages together, as sent. */
  get totalOctets(): number {
    return this.#totalOctets;
  }

  /** Size as stored of the file that the octets were counted in; 0 while they were not. */
  bytes(index: number): number {
    return this.#bytes[index]!;
  }

  counted(index: number): Counted | undefined {
    return this.#knowledge[index] === COUNTED
      ? { octets: this.#octets[index]!, bytes: this.#bytes[index]!, traits: this.traits(index) }
      : undefined;
  }

  traits(index: number): Traits | undefined {
    return this.#traits?.get(index);
  }

  /** The messages that have any. */
  get withTraits(): Iterable<readonly [index: number, traits: Traits]> {
    return this.#traits ?? [];
  }

  setCounted(index: number, { octets, bytes, traits }: Counted): void {
    this.setOctets(index, COUNTED, octets, bytes);
    if (traits !== undefined) this.setTraits(index, traits);
  }

  /** Of a counted message. */
  setTraits(index: number, traits: Traits): void {
    this.#traits ??= new Map();
    this.#traits.set(index, traits);
  }

  /** What was counted for another kind of surrogate is worth nothing: `mail.utf8_headers` has changed. */
  forgetOtherSurrogates(kind: SurrogateKind): void {
    for (const [index, { surrogate }] of [...this.withTraits]) {
      if (surrogate !== undefined && surrogate.kind !== kind) this.setOctets(index, UNKNOWN, 0);
    }
  }

  setOctets(index: number, knowledge: Knowledge, octets: number, bytes = 0): void {
    const before = this.#knowledge[index];
    if (before === UNKNOWN) this.#unknownCount--;
    else if (before === TOLD) this.#toldCount--;
    if (knowledge === UNKNOWN) this.#unknownCount++;
    else if (knowledge === TOLD) this.#toldCount++;
    this.#traits?.delete(index);
    this.#knowledge[index] = knowledge;
    this.#totalOctets += octets - this.#octets[index]!;
    this.#octets[index] = octets;
    this.#bytes[index] = bytes;
  }

  /** What another list knows of the message that has this position there. */
  take(index: number, from: MessageSizes, position: number): void {
    this.setOctets(index, from.knowledge(position), from.octets(position), from.bytes(position));
    const traits = from.traits(position);
    if (traits !== undefined) this.setTraits(index, traits);
  }
}
