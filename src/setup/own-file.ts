// Files that `pop3-ctl setup` and `import-config` write, and how each knows its own again: the first line has a digest of the
// rest. What anybody else wrote or changed is never touched.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describeFileError, errorCode } from "../accounts/file/file-error.ts";
import { Refusal } from "../control/terminal/refusal.ts";

export type FileState =
  | { readonly kind: "absent" }
  /** Written by setup and unchanged since, or as the package brought it. */
  | { readonly kind: "ours"; readonly isSame: boolean }
  | { readonly kind: "foreign" };

const MARKER =
  /^# Written by pop3-ctl ([a-z-]+), which replaces it as long as nobody changes it \(([0-9a-f]{16})\)\n/;

export type Writer = "setup" | "import-config";

export function markedText(text: string, writer: Writer): string {
  return `# Written by pop3-ctl ${writer}, which replaces it as long as nobody changes it (${digestOf(text)})\n${text}`;
}

/** @param pristine what the package puts there: nobody has written anything yet */
export function stateOf(
  content: string | undefined,
  text: string,
  writer: Writer,
  pristine?: string,
): FileState {
  if (content === undefined) return { kind: "absent" };
  if (content === pristine) return { kind: "ours", isSame: false };
  const marker = MARKER.exec(content);
  if (marker?.[1] !== writer || digestOf(content.slice(marker[0].length)) !== marker[2])
    return { kind: "foreign" };
  return { kind: "ours", isSame: content === markedText(text, writer) };
}

/** @throws Refusal where it may be there and cannot be read */
export function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    const hint = errorCode(error) === "EACCES" ? " (run this as root)" : "";
    throw new Refusal(`cannot read ${path}: ${describeFileError(error)}${hint}`);
  }
}

/** Whole or not at all. */
export function writeOwnFile(path: string, text: string, writer: Writer): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.dewey-setup`;
  try {
    writeFileSync(temporary, markedText(text, writer), { mode: 0o644, flag: "wx" });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
