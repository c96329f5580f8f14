// Octets that no honest client sends, drawn from a seed: commands with arguments that are none, half-lines, lines
// without an end, NUL and CR anywhere, base64 that is none. Together with how many of them are complete lines.

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is said before login, in no order; no NOOP: its reply looks as the beginning of UIDL's. */
const KEYWORDS =
  "USER PASS AUTH CAPA STAT LIST RETR TOP UIDL DELE DEL RSET APOP STLS QUITS __proto__ constructor GET".split(
    " ",
  );
const ARGUMENTS = [
  ..."0 -1 +1 1 2 3 01 1.5 1e0 0x1 2147483648 4294967297 9007199254740993 99999999999 NaN Infinity".split(
    " ",
  ),
  ..."PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1 EXTERNAL X = * == AA== AG0AcA== biwsbj1uLHI9eA== %s%n ../../x".split(
    " ",
  ),
  "mrose",
  "\0",
  "'\"`$(x)",
  "\x80\xff\xfe",
  "\u00c3\u00a9",
];

export interface HostileOctets {
  readonly octets: Buffer;
  /** LFs among them. */
  readonly lines: number;
}

/** @param lines how many complete lines at least */
export function hostileOctets(random: () => number, lines: number): HostileOctets {
  const pieces: string[] = [];
  let ended = 0;
  while (ended < lines) {
    const piece = hostilePiece(random);
    pieces.push(piece);
    for (const character of piece) if (character === "\n") ended++;
  }
  return { octets: Buffer.from(pieces.join(""), "latin1"), lines: ended };
}

function hostilePiece(random: () => number): string {
  const below = (bound: number): number => Math.floor(random() * bound);
  const one = (list: readonly string[]): string => list[below(list.length)]!;
  const noise = (length: number): string =>
    Array.from({ length }, () => String.fromCharCode(below(256))).join("");
  const kind = below(100);
  if (kind < 60) {
    const parts = Array.from({ length: below(4) }, () => one(ARGUMENTS));
    const keyword = random() < 0.3 ? one(KEYWORDS).toLowerCase() : one(KEYWORDS);
    return [keyword, ...parts].join(random() < 0.05 ? "  " : " ") + lineEnd(random);
  }
  if (kind < 75) return noise(below(80)) + lineEnd(random);
  // At and around the limit of a line, and of a line with base64.
  if (kind < 85) return "A".repeat(250 + below(8)) + lineEnd(random);
  if (kind < 87) return `AUTH PLAIN ${"A".repeat(12_260 + below(20))}${lineEnd(random)}`;
  if (kind < 88) return "B".repeat(below(60_000)) + lineEnd(random);
  if (kind < 94) return lineEnd(random).repeat(1 + below(3));
  return one(["\r", "\0", "USER ", "AUTH ", "\r\r", ".", "+OK ", noise(below(20)).replaceAll("\n", "")]);
}

function lineEnd(random: () => number): string {
  const kind = random();
  return kind < 0.85 ? "\r\n" : kind < 0.95 ? "\n" : "\r\r\n";
}
