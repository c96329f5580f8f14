// German, in the words of the reference's documentation of the commands: der Maildrop, Fähigkeiten, Nachrichten, als
// gelöscht markiert, Sitzung, Anmeldung.
import type { Texts } from "./texts.ts";

export const german: Texts = {
  expected: {
    CAPA: "erwartet: CAPA",
    USER: "erwartet: USER Benutzername",
    PASS: "erwartet: PASS Passwort",
    STLS: "erwartet: STLS",
    UTF8: "erwartet: UTF8",
    LANG: "erwartet: LANG [Sprache]",
    QUIT: "erwartet: QUIT",
    STAT: "erwartet: STAT",
    LIST: "erwartet: LIST [Nachrichtennummer]",
    UIDL: "erwartet: UIDL [Nachrichtennummer]",
    RETR: "erwartet: RETR Nachrichtennummer",
    TOP: "erwartet: TOP Nachrichtennummer Anzahl-der-Zeilen",
    DELE: "erwartet: DELE Nachrichtennummer",
    NOOP: "erwartet: NOOP",
    RSET: "erwartet: RSET",
  },

  ready: (serverName) => `${serverName} POP3-Mailserver bereit`,
  signingOff: (serverName) => `${serverName} POP3-Mailserver beendet die Sitzung`,
  lineTooLong: (maxOctets) => `Zeile zu lang, höchstens ${maxOctets} Oktette`,
  unknownCommand: (commands) => `unbekannter Befehl, erwartet einer von: ${commands}`,
  tooManyUselessCommands: "zu viele nutzlose Befehle, die Verbindung wird geschlossen",
  capabilitiesFollow: "Fähigkeiten folgen",
  languagesFollow: "Sprachen folgen",
  languageChanged: "Sprache gewechselt",
  unknownLanguage: (languages) => `unbekannte Sprache, erwartet eine von: ${languages}`,
  shuttingDown: "der Mailserver wird beendet",

  userAccepted: "Benutzer angenommen",
  passAccepted: "Passwort angenommen",
  sendUserFirst: "zuerst USER senden",
  beginTls: "TLS-Aushandlung beginnen",
  utf8Enabled: "UTF-8 eingeschaltet",
  logInFirst: (keyword) => `${keyword} ist ein Befehl nach der Anmeldung, zuerst anmelden`,
  authenticationFailed: "Anmeldung fehlgeschlagen",
  malformedResponse: "fehlerhafte Antwort bei der Anmeldung",
  authenticationUnavailable: "Anmeldung zur Zeit nicht möglich, später noch einmal versuchen",
  accountUnusable: "dieses Konto ist nicht benutzbar, bitte den Verwalter fragen",
  expectedAuth: (mechanisms) => `erwartet: AUTH Verfahren [erste-Antwort], Verfahren: ${mechanisms}`,
  mechanismNotOffered: (mechanisms) => `Verfahren nicht angeboten, erwartet eines von: ${mechanisms}`,
  initialResponseNotBase64: "Base64 als erste Antwort erwartet",
  responseNotBase64: "eine Zeile in Base64 erwartet, oder * zum Abbrechen",
  authenticationCancelled: "Anmeldung abgebrochen",
  tlsActive: "TLS ist schon aktiv",
  tlsUnavailable: "dieser Mailserver hat kein Zertifikat für TLS",
  tlsBeforeUtf8: "STLS muss vor UTF8 kommen",
  passwordNotTaken: (mechanisms) =>
    `es wird kein Passwort angenommen, benutzen Sie AUTH ${mechanisms.join(" oder ")}`,
  passwordNeedsTls: "ohne TLS wird kein Passwort angenommen, benutzen Sie STLS oder POP3S",
  passwordNeedsPop3s: "ohne TLS wird kein Passwort angenommen, benutzen Sie POP3S",
  connectionKicked: "ein Verwalter hat diese Verbindung beendet",
  tooManyConnections: "zu viele Verbindungen, später noch einmal versuchen",
  tooManyConnectionsFromAddress:
    "zu viele Verbindungen von Ihrer Adresse, einige schließen oder später noch einmal versuchen",

  maildropUnavailable: "der Maildrop ist zur Zeit nicht verfügbar, noch einmal versuchen",
  loginImpossible: "Anmeldung zur Zeit nicht möglich, noch einmal versuchen",
  tooManySessions: "zu viele gleichzeitige Sitzungen dieses Kontos",
  maildropUnusable: "der Maildrop kann nicht geöffnet werden, bitte den Verwalter fragen",
  maildropLocked: "der Maildrop ist von einer anderen Sitzung gesperrt",
  maildropLockedFrom: (address, since) =>
    `der Maildrop ist von einer anderen Sitzung gesperrt, von ${address} seit ${since}`,

  alreadyLoggedIn: (keyword) => `${keyword} ist ein Befehl vor der Anmeldung, schon angemeldet`,
  maildrop: (messages, octets) => `${messages} Nachrichten (${octets} Oktette)`,
  octets: (octets) => `${octets} Oktette`,
  deleted: (messageNumber) => `Nachricht ${messageNumber} gelöscht`,
  reset: (messages, octets) => `der Maildrop hat ${messages} Nachrichten (${octets} Oktette)`,
  noSuchMessage: (messages) => `keine solche Nachricht, nur ${messages} Nachrichten im Maildrop`,
  alreadyDeleted: (messageNumber) => `Nachricht ${messageNumber} ist schon gelöscht`,
  removedByOther: (messageNumber) => `Nachricht ${messageNumber} wurde von einem anderen Programm gelöscht`,
  unreadable: (messageNumber) => `Nachricht ${messageNumber} kann nicht gelesen werden`,
  needsUtf8: (messageNumber) =>
    `Nachricht ${messageNumber} hat Kopfzeilen in UTF-8, vor der Anmeldung UTF8 senden`,
  signOff: (serverName, messagesLeft) =>
    `${serverName} POP3-Mailserver beendet die Sitzung (${messagesLeft === 0 ? "Maildrop leer" : `noch ${messagesLeft} Nachrichten`})`,
  notRemoved: (failed, marked) =>
    `${failed} von ${marked} als gelöscht markierten Nachrichten nicht gelöscht`,
  takenOver: "eine andere Sitzung dieses Kontos hat übernommen, nichts wurde gelöscht",
  shuttingDownUndeleted: "der Mailserver wird beendet, nichts wurde gelöscht",
  sessionKicked: "ein Verwalter hat diese Sitzung beendet, nichts wurde gelöscht",
};
