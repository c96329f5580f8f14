// A config.toml from Courier's configuration: pop3d, pop3d-ssl and authdaemonrc, which are shell variables. Pure. Used by
// `pop3-ctl import-config`.
import type { ConfigText, Place } from "../control/dovecot/dovecot-settings.ts";
import { ConfigDraft } from "./config-draft.ts";

interface Variable {
  readonly name: string;
  readonly value: string;
  readonly place: Place;
}

/** @param files of /etc/courier */
export function fromCourier(files: readonly ConfigText[], hostName: string): ConfigDraft {
  const draft = new ConfigDraft();
  draft.set("server", "name", hostName);
  draft.set("auth", "passwd_file", "/etc/dewey-pop3/passwd");
  const variables = files.flatMap(variablesOf);
  const all = new Map(variables.map((variable) => [variable.name, variable]));
  const value = (name: string): string => all.get(name)?.value ?? "";
  const isOn = (name: string): boolean => /^(?:1|y)/i.test(value(name));
  const hasTls = value("TLS_CERTFILE") !== "" && (isOn("POP3DSSLSTART") || isOn("POP3_STARTTLS"));
  draft.set(
    "server",
    "listen",
    isOn("POP3DSTART") ? addresses(value("ADDRESS"), value("PORT") || "110") : [],
  );
  if (hasTls) {
    if (isOn("POP3DSSLSTART"))
      draft.set("server", "listen_tls", addresses(value("SSLADDRESS"), value("SSLPORT") || "995"));
    // Certificate and key in one file, as Courier has them.
    draft.set("tls", "certificate", value("TLS_CERTFILE"));
    draft.set("tls", "private_key", value("TLS_PRIVATE_KEYFILE") || value("TLS_CERTFILE"));
  }
  draft.set("auth", "plaintext_without_tls", isOn("POP3_TLS_REQUIRED") ? "never" : "always");
  const path = value("MAILDIRPATH") || "Maildir";
  draft.set("mail", "maildir", path.startsWith("/") ? path : `~/${path.replace(/^\.\//, "")}`);
  const perAddress = Number(value("MAXPERIP"));
  if (perAddress > 0) draft.set("limits", "sessions_per_address", perAddress);
  const atOnce = Number(value("MAXDAEMONS"));
  if (atOnce > 0) draft.set("limits", "sessions", Math.max(atOnce, perAddress));
  accounts(draft, all.get("authmodulelist"));
  draft.step(
    "keep the unique-ids that clients know: pop3-ctl import-uidl --all --dry-run, then without --dry-run",
  );
  draft.step("see that no client would download anything again: pop3-ctl rehearse --help");
  for (const { name, value: text, place } of variables) {
    if (all.get(name)?.place !== place || text === "") continue;
    const [, said] = NOTED.find(([pattern]) => pattern.test(name)) ?? [];
    if (said !== undefined && text !== "0" && text !== "NONE") draft.note(name, place, said);
  }
  return draft;
}

const NOTED: readonly (readonly [name: RegExp, text: string])[] = [
  [
    /^POP3AUTH(?:_TLS)?$/,
    "has no counterpart but auth.mechanisms: PLAIN, LOGIN, SCRAM and EXTERNAL; CRAM is gone",
  ],
  [/^POP3_PROXY$/, "has no counterpart: a proxy in front may pass sessions on"],
  [/^TLS_CIPHER_LIST$/, "may be tls.ciphers, in OpenSSL's notation"],
  [/^TLS_VERIFYPEER$/, "is tls.client_ca, which asks for certificates and needs none"],
  [/^MAXDAEMONS$/, "is limits.sessions: ours costs no process a session, so that it may be far more"],
  [/^DEFDOMAIN$/, "has no counterpart: accounts are named as clients log in"],
];

function accounts(draft: ConfigDraft, modules: Variable | undefined): void {
  const names = modules?.value.split(/\s+/).filter((name) => name !== "") ?? ["authpam"];
  for (const name of names) {
    if (name === "authuserdb") draft.step("take over the accounts: pop3-passwd import /etc/courier/userdb");
    else if (/^auth(?:pam|pwd|shadow)$/.test(name)) {
      draft.set("accounts", "source", "system");
      draft.step("take over the accounts: pop3-passwd import --passwd /etc/passwd --dated /etc/shadow");
    } else {
      draft.note(
        "authmodulelist",
        modules!.place,
        `${name} is not asked: write the accounts to a file (CSV), and pop3-passwd import it`,
      );
    }
  }
}

/** "0" is all addresses; several are separated by commas. */
function addresses(text: string, ports: string): string[] {
  const hosts = text === "" || text === "0" ? ["*"] : text.split(",");
  return ports.split(",").flatMap((port) => {
    // 127.0.0.1.900: an address with a port of its own.
    const [, own, ownPort] = /^([0-9]+(?:\.[0-9]+){3})\.([0-9]+)$/.exec(port.trim()) ?? [];
    if (own !== undefined) return [`${own}:${ownPort}`];
    return hosts
      .map((host) => (host.includes(":") ? `[${host.trim()}]` : host.trim()))
      .map((host) => `${host}:${port.trim()}`);
  });
}

function variablesOf({ file, text }: ConfigText): Variable[] {
  return text.split("\n").flatMap((line, index) => {
    const [, name, double, single, bare] =
      /^\s*([A-Za-z_][A-Za-z0-9_]*)=(?:"(.*)"|'(.*)'|(\S*))\s*(?:#.*)?$/.exec(line) ?? [];
    if (name === undefined) return [];
    return [{ name, value: double ?? single ?? bare ?? "", place: { file, line: index + 1 } }];
  });
}
