// Amounts of memory in config.toml: "19MiB", "1GiB", "19456KiB". Pure.

/** In KiB. Undefined when it is none; a number without a unit is none, since nobody knows which one was meant. */
export function parseMemory(text: string): number | undefined {
  const match = /^([0-9]{1,9}) ?(KiB|MiB|GiB)$/i.exec(text);
  if (match === null) return undefined;
  return Number.parseInt(match[1]!, 10) * KIB_OF[match[2]!.toLowerCase() as keyof typeof KIB_OF];
}

const KIB_OF = { kib: 1, mib: 1024, gib: 1024 * 1024 } as const;
