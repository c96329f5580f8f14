// Ways in which the same octets may arrive; every decoder test runs over all of them.

export function chunkings(text: string): readonly (readonly [string, readonly Uint8Array[]])[] {
  const octets = Buffer.from(text);
  return [
    ["whole", [octets]],
    ["byte by byte", Array.from(octets, (octet) => Uint8Array.of(octet))],
    ["split before every LF", split(octets, 0)],
    ["split behind every LF", split(octets, 1)],
  ];
}

function split(octets: Buffer, offset: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let start = 0;
  for (let lf = octets.indexOf("\n"); lf !== -1; lf = octets.indexOf("\n", lf + 1)) {
    chunks.push(octets.subarray(start, lf + offset));
    start = lf + offset;
  }
  return [...chunks, octets.subarray(start)];
}
