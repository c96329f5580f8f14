// From bytes as stored to octets as sent (RFC 1939 §3), as fast as the processor can: pop3 encodes with it what it
// sends, maildir counts with it what would be sent. Pure; the loops themselves stand in loops.wat.
import { LOOPS } from "./loops.ts";

interface Loops {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly stuffed: { readonly value: number };
  readonly eighth: { readonly value: number };
  readonly empty: { readonly value: number };
  encode(input: number, length: number, output: number, last: number): number;
  countBareLfs(input: number, length: number, before: number): number;
}

// Named in no library of types that this project includes: lib.dom has it, and a page's other globals.
declare const WebAssembly: {
  readonly Module: new (octets: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};
declare function atob(base64: string): string;

const loops = new WebAssembly.Instance(
  new WebAssembly.Module(Uint8Array.from(atob(LOOPS), (character) => character.charCodeAt(0))),
).exports as Loops;
const memory = new Uint8Array(loops.memory.buffer);

/** What the loops take at a time. The input stands at 0, the output behind it: as long in the worst case, and 16 more. */
const PIECE_BYTES = 64 * 1024;
const INPUT = 0;
const OUTPUT = PIECE_BYTES;

/** Where an encoding stands between two chunks. */
export interface Encoding {
  /** The byte before; LF where a line begins. */
  last: number;
  /** So far, byte-stuffing not counted. */
  octets: number;
}

/**
 * Gives each LF without a CR before it one, and each line that begins with a dot another dot; everything else stays as
 * it is, a bare CR and NUL included.
 *
 * @param output twice as many octets as the input has bytes are free from `offset` on
 * @returns the offset behind what was written
 */
export function encodeLines(
  input: Uint8Array,
  output: Uint8Array,
  offset: number,
  encoding: Encoding,
): number {
  let end = offset;
  for (const piece of piecesOf(input)) {
    memory.set(piece, INPUT);
    const outputEnd = loops.encode(INPUT, piece.length, OUTPUT, encoding.last);
    output.set(memory.subarray(OUTPUT, outputEnd), end);
    end += outputEnd - OUTPUT;
    encoding.octets += outputEnd - OUTPUT - loops.stuffed.value;
    encoding.last = piece[piece.length - 1]!;
  }
  return end;
}

/** Where a count stands between two chunks. */
export interface LineCount {
  /** The last two bytes, as the loop wants them told. */
  before: number;
  bareLfs: number;
  /** Whether it is not all ASCII. */
  hasEighthBit: boolean;
  hasEmptyLine: boolean;
}

export function newLineCount(): LineCount {
  return { before: LINE_BEGIN, bareLfs: 0, hasEighthBit: false, hasEmptyLine: false };
}

/** The last byte was an LF, or there was none yet. */
export function isAtLineBegin({ before }: LineCount): boolean {
  return (before & LINE_BEGIN) !== 0;
}

export function countLines(input: Uint8Array, count: LineCount): void {
  for (const piece of piecesOf(input)) {
    memory.set(piece, INPUT);
    count.bareLfs += loops.countBareLfs(INPUT, piece.length, count.before);
    count.hasEighthBit ||= loops.eighth.value !== 0;
    count.hasEmptyLine ||= loops.empty.value !== 0;
    const last = piece[piece.length - 1]!;
    const isSecondLf = piece.length > 1 ? piece[piece.length - 2] === LF : (count.before & LINE_BEGIN) !== 0;
    count.before = (last === CR ? 1 : 0) | (last === LF ? LINE_BEGIN : 0) | (isSecondLf ? 4 : 0);
  }
}

const LINE_BEGIN = 2;
const LF = 10;
const CR = 13;

/** No copies, and none that is empty. */
function piecesOf(input: Uint8Array): readonly Uint8Array[] {
  if (input.length === 0) return [];
  if (input.length <= PIECE_BYTES) return [input];
  const pieces: Uint8Array[] = [];
  for (let begin = 0; begin < input.length; begin += PIECE_BYTES) {
    pieces.push(input.subarray(begin, begin + PIECE_BYTES));
  }
  return pieces;
}
