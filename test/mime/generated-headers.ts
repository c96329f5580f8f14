// Headers that nobody has thought of, in many scripts.
import fc from "fast-check";

const letters = fc.constantFrom(
  ..."abcXYZ019 .,;:()<>@\"'\\/?=_-[]{}!#$%&*+^`|~",
  ..."äöüßéñçøåæœŁžřİığşőű",
  ..."пример почты ЁЖЩ",
  ..."例え日本語テスト中文한국어",
  ..."مثالעברית",
  ..."😀👩‍👩‍👧🇩🇪\u0301\u00a0",
);

/** Words as people put them into a subject, a name, a file's name. */
export const phrase = fc
  .array(letters, { minLength: 1, maxLength: 80 })
  .map((parts) => parts.join("").replace(/\s+/gu, " ").replaceAll("=?", "= ?").trim())
  .filter((words) => words !== "");

/** A local part. */
export const word = fc.stringMatching(/^[a-zäöüпримерж日本語😀]{1,20}$/u);

export interface Headers {
  readonly subject: string;
  /** The sender's. */
  readonly name: string;
  readonly file: string;
  /** The recipient's local part. */
  readonly local: string;
  readonly lineEnd: "\n" | "\r\n";
}

export function messageOf({ subject, name, file, local, lineEnd }: Headers): Buffer {
  const quoted = (words: string): string => `"${words.replace(/["\\]/g, "\\$&")}"`;
  const lines = [
    `Subject: ${subject}`,
    `From: ${quoted(name)} <a@example.org>`,
    `To: ${local}@example.org`,
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="--b"',
    "",
    "----b",
    "Content-Type: text/plain; charset=utf-8",
    "",
    "Körper",
    "----b",
    "Content-Type: application/octet-stream",
    `Content-Disposition: attachment; filename=${quoted(file)}`,
    "",
    "Inhalt",
    "----b--",
    "",
  ];
  return Buffer.from(lines.join(lineEnd));
}
