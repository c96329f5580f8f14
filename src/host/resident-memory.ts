// How much memory this process has, as the kernel counts it.

/** In bytes; undefined where nobody can say, as when no descriptor is left to read /proc by (EMFILE). */
export function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}
