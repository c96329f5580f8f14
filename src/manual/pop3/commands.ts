// The commands of POP3 with an example each, for the command reference: what is in both languages the same stands once.
// test/conversation plays every example against the server and compares each line. Pure.

export type Language = "en" | "de";
export type Texts = Readonly<Record<Language, string>>;

export interface DocumentedCommand {
  readonly name: string;
  readonly text: Texts;
  /**
   * "C: " begins what the client sends, "S: " what the server answers, three spaces further lines of the same answer. The maildrop
   * has two messages of 120 and 200 octets.
   */
  readonly example: string;
}

export const BEFORE_LOGIN: readonly DocumentedCommand[] = [
  {
    name: "CAPA",
    text: {
      en: "What the server can do: the capabilities of RFC 2449, then the commands.",
      de: "Der CAPA-Befehl listet die Fähigkeiten des Servers auf: die nach RFC 2449, danach die Befehle.",
    },
    example: `C: CAPA
S: +OK Capabilities follow
   TOP
   UIDL
   USER
   SASL PLAIN LOGIN SCRAM-SHA-256
   STLS
   PIPELINING
   RESP-CODES
   AUTH-RESP-CODE
   UTF8 USER
   LANG
   EXPIRE NEVER
   IMPLEMENTATION dewey-pop3
   CAPA
   DEL
   DELE
   LIST
   NOOP
   PASS
   RETR
   RSET
   STAT
   QUIT
   .`,
  },
  {
    name: "USER",
    text: {
      en: "Who logs in. The answer is the same whether the account exists or not.",
      de: "Der USER-Befehl gibt den Benutzernamen an. Die Antwort verrät nicht, ob es das Konto gibt.",
    },
    example: `C: USER mrose
S: +OK User accepted`,
  },
  {
    name: "PASS",
    text: {
      en: "The password, behind USER. A wrong one, an unknown user and a locked account get the same answer.",
      de: "Der PASS-Befehl gibt nach USER das Passwort an. Ein falsches Passwort, ein unbekannter Benutzer und ein gesperrtes Konto bekommen dieselbe Antwort.",
    },
    example: `C: USER mrose
S: +OK User accepted
C: PASS wrong
S: -ERR [AUTH] authentication failed
C: USER mrose
S: +OK User accepted
C: PASS secret
S: +OK Pass accepted`,
  },
  {
    name: "AUTH",
    text: {
      en: "Logs in by SASL (RFC 5034), in one line or two; `*` gives up. In base64 for PLAIN: an empty identity, the name, the password, divided by NUL.",
      de: "Der AUTH-Befehl meldet mit SASL an (RFC 5034), in einer oder zwei Zeilen; `*` bricht ab. Für PLAIN in Base64: leere Identität, Name, Passwort, durch NUL getrennt.",
    },
    example: `C: AUTH PLAIN
S: + 
C: *
S: -ERR authentication cancelled
C: AUTH PLAIN AG1yb3NlAHNlY3JldA==
S: +OK Pass accepted`,
  },
  {
    name: "STLS",
    text: {
      en: "Begins TLS on this connection (RFC 2595). What was said before it is forgotten.",
      de: "Der STLS-Befehl beginnt TLS auf dieser Verbindung (RFC 2595). Was vorher gesagt wurde, gilt nicht mehr.",
    },
    example: `C: STLS
S: +OK Begin TLS negotiation`,
  },
  {
    name: "UTF8",
    text: {
      en: "Names, passwords and messages are UTF-8 (RFC 6856).",
      de: "Der UTF8-Befehl kündigt an, dass Namen, Passwörter und Nachrichten UTF-8 sind (RFC 6856).",
    },
    example: `C: UTF8
S: +OK UTF-8 mode enabled`,
  },
  {
    name: "LANG",
    text: {
      en: "The language of the replies (RFC 6856), before login or after it; alone it lists them.",
      de: "Der LANG-Befehl wählt die Sprache der Antworten (RFC 6856), vor oder nach der Anmeldung; allein zählt er sie auf.",
    },
    example: `C: LANG
S: +OK Languages follow
   i-default
   en English
   de Deutsch
   .
C: LANG de
S: +OK de Sprache gewechselt
C: LANG i-default
S: +OK i-default Language changed`,
  },
];

export const AFTER_LOGIN: readonly DocumentedCommand[] = [
  {
    name: "STAT",
    text: {
      en: "How many messages there are, and how many octets all of them have.",
      de: "Der STAT-Befehl gibt die Anzahl und die Gesamtgröße der Nachrichten zurück.",
    },
    example: `C: STAT
S: +OK 2 320`,
  },
  {
    name: "LIST",
    text: {
      en: "The messages with their sizes, or one of them.",
      de: "Der LIST-Befehl listet die Nachrichten und ihre Größen auf, oder eine von ihnen.",
    },
    example: `C: LIST
S: +OK 2 messages (320 octets)
   1 120
   2 200
   .
C: LIST 2
S: +OK 2 200
C: LIST 3
S: -ERR no such message, only 2 messages in maildrop`,
  },
  {
    name: "RETR",
    text: {
      en: "A message as it is stored. A dot alone ends it; a line that begins with a dot gets another one in front.",
      de: "Der RETR-Befehl holt eine Nachricht ab. Sie endet mit einem einzelnen Punkt; eine Zeile, die mit einem Punkt beginnt, bekommt einen weiteren davor.",
    },
    example: `C: RETR 1
S: +OK 120 octets
   From: Jon Postel <jpostel@isi.example>
   Subject: Lunch on Friday
   
   Is noon all right for you, at the usual old place?
   .`,
  },
  {
    name: "TOP",
    text: {
      en: "The headers and so many lines of the body.",
      de: "Der TOP-Befehl holt die Kopfzeilen und so viele Zeilen des Textes.",
    },
    example: `C: TOP 1 0
S: +OK
   From: Jon Postel <jpostel@isi.example>
   Subject: Lunch on Friday
   
   .`,
  },
  {
    name: "DELE",
    text: {
      en: "Marks a message as deleted; it goes at QUIT. `DEL` is another word for it.",
      de: "Der DELE-Befehl löscht eine Nachricht: Er markiert sie, und QUIT entfernt sie. `DEL` ist ein anderes Wort dafür.",
    },
    example: `C: DELE 1
S: +OK message 1 deleted
C: RETR 1
S: -ERR message 1 already deleted`,
  },
  {
    name: "NOOP",
    text: {
      en: "Nothing; it keeps the connection.",
      de: "Der NOOP-Befehl führt keine Aktion aus und dient nur dazu, die Verbindung aufrechtzuerhalten.",
    },
    example: `C: NOOP
S: +OK`,
  },
  {
    name: "RSET",
    text: {
      en: "Takes all marks of DELE back.",
      de: "Der RSET-Befehl setzt den Maildrop zurück und markiert alle Nachrichten als nicht gelöscht.",
    },
    example: `C: DELE 1
S: +OK message 1 deleted
C: RSET
S: +OK maildrop has 2 messages (320 octets)`,
  },
  {
    name: "UIDL",
    text: {
      en: "The unique-ids, which name messages across sessions, or that of one message.",
      de: "Der UIDL-Befehl listet die eindeutigen Bezeichner für alle Nachrichten auf, oder den einer Nachricht.",
    },
    example: `C: UIDL
S: +OK
   1 UID1
   2 UID2
   .
C: UIDL 2
S: +OK 2 UID2`,
  },
  {
    name: "QUIT",
    text: {
      en: "Ends the session and removes the messages that are marked as deleted. A connection that ends otherwise removes nothing.",
      de: "Der QUIT-Befehl beendet die Sitzung und löscht alle als gelöscht markierten Nachrichten. Endet die Verbindung anders, bleibt alles da.",
    },
    example: `C: QUIT
S: +OK dewey POP3 server signing off (2 messages left)`,
  },
];

/** With the greeting, to its end. */
export const WHOLE_SESSION = `S: +OK dewey POP3 server ready
C: USER mrose
S: +OK User accepted
C: PASS secret
S: +OK Pass accepted
C: STAT
S: +OK 2 320
C: LIST
S: +OK 2 messages (320 octets)
   1 120
   2 200
   .
C: RETR 1
S: +OK 120 octets
   From: Jon Postel <jpostel@isi.example>
   Subject: Lunch on Friday
   
   Is noon all right for you, at the usual old place?
   .
C: DELE 1
S: +OK message 1 deleted
C: DELE 2
S: +OK message 2 deleted
C: QUIT
S: +OK dewey POP3 server signing off (maildrop empty)`;
