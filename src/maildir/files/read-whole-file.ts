// Reads a small file that lies beside new/ and cur/ whole: our index, or another server's list. It belongs to the mail's
// owner, who may have put anything there: neither followed, waited for, nor read when it is far too large.
import { openRegularFile } from "../message.ts";
import { codeOf, type FilePath, type Files } from "./files.ts";

export type ReadFile =
  | { readonly kind: "octets"; readonly octets: Buffer }
  | { readonly kind: "missing" }
  /** `reason`: "too large", an errno's name … */
  | { readonly kind: "unusable"; readonly reason: string };

/** @param atMost bytes that are read of it; all where nothing is said */
export async function readWholeFile(
  files: Files,
  path: FilePath,
  maxBytes: number,
  atMost = maxBytes,
): Promise<ReadFile> {
  let fd: number | undefined;
  try {
    const opened = await openRegularFile(files, path);
    if (opened.kind === "not-a-file") return { kind: "unusable", reason: "not a regular file" };
    fd = opened.fd;
    if (opened.bytes > maxBytes) return { kind: "unusable", reason: "too large" };
    // Not from the pool: a list of messages keeps its index, and would keep the pool's block with it.
    const octets = Buffer.allocUnsafeSlow(Math.min(opened.bytes, atMost));
    let length = 0;
    while (length < octets.length) {
      const bytes = await files.read(fd, octets, length, octets.length - length, length);
      if (bytes === 0) break;
      length += bytes;
    }
    return { kind: "octets", octets: octets.subarray(0, length) };
  } catch (error) {
    const code = codeOf(error);
    return code === "ENOENT" ? { kind: "missing" } : { kind: "unusable", reason: code };
  } finally {
    if (fd !== undefined) files.close(fd);
  }
}
