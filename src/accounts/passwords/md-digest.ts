// The two old digests that node:crypto cannot give: MD4 (OpenSSL 3 keeps it in its legacy provider) and MD5's inner state
// after one block, which is what {CRAM-MD5} stores. Called by digest-schemes.ts, to read files written long ago. Pure.

/** MD4 (RFC 1320), 16 octets. */
export function md4(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, (message.length << 3) >>> 0, true);
  view.setUint32(padded.length - 4, Math.floor(message.length / 0x2000_0000), true);
  let state = INITIAL_STATE;
  for (let at = 0; at < padded.length; at += 64) state = md4Block(state, words(view, at));
  return octets(state);
}

/** MD5's state (RFC 1321 §3.4: A, B, C, D, low-order octet first) after exactly one block of 64 octets, without the padding. */
export function md5BlockState(block: Uint8Array): Uint8Array {
  if (block.length !== 64) throw new RangeError("an MD5 block has 64 octets");
  return octets(md5Block(INITIAL_STATE, words(new DataView(block.buffer, block.byteOffset, 64), 0)));
}

type State = readonly [number, number, number, number];

const INITIAL_STATE: State = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];

const MD4_ROUNDS = [
  { order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], shifts: [3, 7, 11, 19], add: 0 },
  { order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], shifts: [3, 5, 9, 13], add: 0x5a827999 },
  { order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], shifts: [3, 9, 11, 15], add: 0x6ed9eba1 },
] as const;

const MD5_SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;

// RFC 1321 §3.4: T[i] is the integer part of 4294967296 times abs(sin(i)), i in radians.
const MD5_TABLE = Array.from({ length: 64 }, (_, index) =>
  Math.floor(Math.abs(Math.sin(index + 1)) * 2 ** 32),
);

function md4Block(state: State, x: readonly number[]): State {
  let [a, b, c, d]: State = state;
  for (const [round, { order, shifts, add }] of MD4_ROUNDS.entries()) {
    for (const [step, index] of order.entries()) {
      const mixed = round === 0 ? (b & c) | (~b & d) : round === 1 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
      const next = rotateLeft((a + mixed + x[index]! + add) | 0, shifts[step % 4]!);
      [a, b, c, d] = [d, next, b, c];
    }
  }
  return sum(state, [a, b, c, d]);
}

function md5Block(state: State, x: readonly number[]): State {
  let [a, b, c, d]: State = state;
  for (let step = 0; step < 64; step += 1) {
    const round = step >> 4;
    const mixed = [(b & c) | (~b & d), (b & d) | (c & ~d), b ^ c ^ d, c ^ (b | ~d)][round]!;
    const index = [step, 5 * step + 1, 3 * step + 5, 7 * step][round]! % 16;
    const rotated = rotateLeft((a + mixed + x[index]! + MD5_TABLE[step]!) | 0, MD5_SHIFTS[round]![step % 4]!);
    [a, b, c, d] = [d, (b + rotated) | 0, b, c];
  }
  return sum(state, [a, b, c, d]);
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function sum(left: State, right: State): State {
  return [left[0] + right[0], left[1] + right[1], left[2] + right[2], left[3] + right[3]].map(
    (n) => n | 0,
  ) as unknown as State;
}

function words(view: DataView, at: number): number[] {
  return Array.from({ length: 16 }, (_, index) => view.getUint32(at + 4 * index, true));
}

function octets(state: State): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of state.entries()) view.setInt32(4 * index, word, true);
  return bytes;
}
