// Counts one message: as stored, as sent, and as sent to clients that have not said UTF8. Only where a message is not all
// ASCII its headers are looked at. Used by the mailbox process.
import { Downgrade } from "../../mime/downgrade.ts";
import { makeSurrogate } from "../../mime/make-surrogate.ts";
import type { SurrogateKind } from "../../mime/surrogate.ts";
import type { Files } from "../files/files.ts";
import type { Counted, Traits } from "../presentation.ts";
import { countOctets, OctetCounter, readThrough } from "./octets.ts";

/** A message that stands in memory whole. */
export function countWhole(bytes: Uint8Array, kind: SurrogateKind): Counted {
  const counter = new OctetCounter();
  counter.add(bytes);
  return countedOf(counter, counter.hasEighthBit ? surrogateOf(bytes, kind) : undefined);
}

/**
 * A whole file, read with one buffer.
 *
 * @throws what read(2) throws
 */
export async function countFile(
  files: Pick<Files, "read">,
  file: { readonly fd: number; readonly buffer: Buffer; readonly expectedBytes: number },
  kind: SurrogateKind,
  shouldStop?: () => boolean,
): Promise<Counted | undefined> {
  const counter = await countOctets(files, file.fd, file.buffer, file.expectedBytes, shouldStop);
  if (counter === undefined) return undefined;
  if (!counter.hasEighthBit) return countedOf(counter, undefined);
  const surrogate = new SurrogateCounter(kind);
  const isWhole = await readThrough(files, file, (chunk) => surrogate.push(chunk), shouldStop);
  return isWhole ? countedOf(counter, surrogate.finish()) : undefined;
}

function surrogateOf(bytes: Uint8Array, kind: SurrogateKind): Traits["surrogate"] {
  const surrogate = new SurrogateCounter(kind);
  surrogate.push(bytes);
  return surrogate.finish();
}

function countedOf({ bytes, octets, hasEmptyLine }: OctetCounter, surrogate: Traits["surrogate"]): Counted {
  if (surrogate !== undefined) return { bytes, octets, traits: { surrogate, isHeaderOpen: !hasEmptyLine } };
  return { bytes, octets, traits: hasEmptyLine ? undefined : OPEN_HEADER };
}

/** One for all of them. */
const OPEN_HEADER: Traits = { surrogate: undefined, isHeaderOpen: true };

/** Whether there is a surrogate, only the downgrade knows: it looks at every header. */
class SurrogateCounter {
  readonly #kind: SurrogateKind;
  readonly #downgrade = new Downgrade();
  readonly #other: ReturnType<typeof makeSurrogate> | undefined;
  readonly #counter = new OctetCounter();

  constructor(kind: SurrogateKind) {
    this.#kind = kind;
    this.#other = kind === "downgraded" ? undefined : makeSurrogate(kind);
  }

  push(chunk: Uint8Array): void {
    const downgraded = this.#downgrade.push(chunk);
    this.#count(this.#other?.push(chunk) ?? downgraded);
  }

  finish(): Traits["surrogate"] {
    const downgraded = this.#downgrade.finish();
    this.#count(this.#other?.finish() ?? downgraded);
    return this.#downgrade.hasChanged ? { kind: this.#kind, octets: this.#counter.octets } : undefined;
  }

  #count(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.#counter.add(piece);
  }
}
