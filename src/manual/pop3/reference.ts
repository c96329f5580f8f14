// etc/pop3-commands.md and etc/pop3-commands.de.md: what each command of POP3 answers. Pure.
import { wrap } from "../wrap.ts";
import {
  AFTER_LOGIN,
  BEFORE_LOGIN,
  type DocumentedCommand,
  type Language,
  WHOLE_SESSION,
} from "./commands.ts";

const HEADINGS = {
  en: {
    title: "The commands of the POP3 server",
    introduction:
      'What each command answers, with `server.name = "dewey"` and a maildrop of two messages. "C:" is the client, "S:" the server; ' +
      "indented lines belong to the same answer. An error begins with `-ERR`, and may have a response code (RFC 2449, RFC 3206) " +
      "that programs understand: `[AUTH]` for a wrong password, `[IN-USE]` where another session has the maildrop, `[SYS/TEMP]` " +
      "for what will pass, `[SYS/PERM]` for what the administrator has to mend. LANG changes the words, never the numbers and codes.",
    before: "Before login",
    after: "After login",
    session: "A whole session",
    sessionText: "Somebody logs in, looks at the messages, fetches one, deletes both and leaves.",
  },
  de: {
    title: "Die Befehle des POP3-Servers",
    introduction:
      'Was jeder Befehl antwortet, mit `server.name = "dewey"` und einem Maildrop mit zwei Nachrichten. „C:“ ist der Client, „S:“ der ' +
      "Server; eingerückte Zeilen gehören zur selben Antwort. Ein Fehler beginnt mit `-ERR` und kann einen Code haben (RFC 2449, " +
      "RFC 3206), den Programme verstehen: `[AUTH]` bei falschem Passwort, `[IN-USE]`, wenn eine andere Sitzung den Maildrop hat, " +
      "`[SYS/TEMP]` für das, was vorübergeht, `[SYS/PERM]` für das, was der Administrator beheben muss. LANG ändert die Worte, nie " +
      "die Zahlen und Codes.",
    before: "Befehle vor der Anmeldung",
    after: "Befehle nach der Anmeldung",
    session: "Eine vollständige Sitzung",
    sessionText:
      "Der Benutzer meldet sich an, prüft die Nachrichten, holt eine ab, löscht beide und beendet die Sitzung.",
  },
} as const satisfies Record<Language, Record<string, string>>;

/** The info strings of code blocks say where in a session they stand: the test that plays them reads it. */
export function pop3Reference(language: Language): string {
  const { title, introduction, before, after, session, sessionText } = HEADINGS[language];
  const commands = (list: readonly DocumentedCommand[], state: string): string[] =>
    list.flatMap(({ name, text, example }) => [
      `### ${name}`,
      paragraph(text[language]),
      block(example, state),
    ]);
  return `${[
    `# ${title}`,
    paragraph(introduction),
    `## ${before}`,
    ...commands(BEFORE_LOGIN, "AUTHORIZATION"),
    `## ${after}`,
    ...commands(AFTER_LOGIN, "TRANSACTION"),
    `## ${session}`,
    paragraph(sessionText),
    block(WHOLE_SESSION, "session"),
  ].join("\n\n")}\n`;
}

function block(dialogue: string, where: string): string {
  return `\`\`\`pop3 ${where}\n${dialogue}\n\`\`\``;
}

function paragraph(text: string): string {
  return wrap(text, 120).join("\n");
}
