// Reads the dialogues of etc/pop3-commands.*.md as readers see them, as dialogues that a target can play.
import { readFileSync } from "node:fs";
import { type Dialogue, parseDialogue } from "./dialogue.ts";

export const REFERENCES = ["pop3-commands.md", "pop3-commands.de.md"] as const;

/** What an example has before it, by the word behind "pop3" in its code block. */
const BEFORE: ReadonlyMap<string, readonly string[]> = new Map([
  ["AUTHORIZATION", ["S: +OK dewey POP3 server ready"]],
  [
    "TRANSACTION",
    [
      "S: +OK dewey POP3 server ready",
      "C: USER mrose",
      "S: +OK User accepted",
      "C: PASS secret",
      "S: +OK Pass accepted",
    ],
  ],
  ["session", []],
]);

/** 120 and 200 octets as sent. */
const MESSAGES = [
  'M: UID1 "From: Jon Postel <jpostel@isi.example>\\nSubject: Lunch on Friday\\n\\nIs noon all right for you, at the usual old place?\\n"',
  'M: UID2 "Subject: two\\n\\n{a*182}\\n"',
];

export function readReference(file: (typeof REFERENCES)[number]): Dialogue[] {
  const text = readFileSync(new URL(`../../etc/${file}`, import.meta.url), "utf8");
  const parts = text.split(/^#{2,3} /m).slice(1);
  return parts.flatMap((part) => {
    const [title = ""] = part.split("\n");
    const [, where, example] = /^```pop3 (\S+)\n(.*?)\n```$/ms.exec(part) ?? [];
    if (where === undefined || example === undefined) return [];
    const before = BEFORE.get(where);
    if (before === undefined) throw new Error(`${file}: ${title}: no such place in a session: ${where}`);
    const lines = example.split("\n").map((line) => line.replace(/^ {3}/, "S: "));
    return [parseDialogue(`${file} ${title}`, [...MESSAGES, ...before, ...lines].join("\n"))];
  });
}
