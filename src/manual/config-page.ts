// dewey-pop3.toml(5): the config, key by key. Pure.
import { FORMS } from "../config/schema/values.ts";
import { type ConfigKey, configSections } from "./config-keys.ts";
import { limitsTable } from "./limits-table.ts";
import type { Release } from "./release.ts";
import * as roff from "./roff.ts";

const EXAMPLE = `[server]
listen = ["*:110"]
listen_tls = ["*:995"]

[tls]
certificate = "/etc/letsencrypt/live/mail.example.org/fullchain.pem"
private_key = "/etc/letsencrypt/live/mail.example.org/privkey.pem"

[mail]
maildir = "/var/mail/%d/%n/Maildir"
user = "vmail"
group = "vmail"`;

export function configPage(release: Release): string {
  const sections = configSections();
  return roff.page("dewey-pop3.toml", 5, release, [
    roff.section("NAME"),
    "dewey\\-pop3.toml \\- configuration of the POP3 server dewey\\-pop3",
    roff.section("DESCRIPTION"),
    ...roff.paragraphs(
      "The file `/etc/dewey-pop3/config.toml` is read when pop3-server(8) starts and at its SIGHUP. Every key has a default, but for the " +
        "certificates; an unknown key is a fault. `pop3-server --check` names file, line and key of every fault. Values are TOML's; " +
        "strings have these forms:",
    ),
    ...FORMS.flatMap(([form, meaning]) => roff.item(roff.italic(form), ...roff.paragraphs(meaning))),
    ...sections.flatMap(({ name, description, keys }) => [
      roff.section(`[${name}]`),
      ...roff.paragraphs(description),
      ...keys.flatMap((key) => keyItem(key)),
    ]),
    roff.section("LIMITS THAT ARE NO KEYS"),
    ...limitsTable(sections)
      .filter((limit) => !limit.isKey)
      .flatMap((limit) =>
        roff.item(roff.prose(`${limit.name}: ${limit.default}`), ...roff.paragraphs(limit.reason)),
      ),
    roff.section("FILES"),
    ...roff.item(roff.italic("/etc/dewey-pop3/config.toml"), "The configuration."),
    roff.section("EXAMPLES"),
    ...roff.paragraphs("POP3 with STLS, POP3S, and mail that all belongs to one user:"),
    ".sp",
    ".sp",
    ...roff.code(EXAMPLE.split("\n")),
    ...roff.seeAlso(["pop3-server", 8], ["pop3-passwd", 8], ["pop3-ctl", 8]),
  ]);
}

function keyItem({ name, description, reason, form, unit, example, keys, ...key }: ConfigKey): string[] {
  const value = key.default === undefined ? roff.prose(key.defaultText ?? "") : roff.bold(key.default);
  return [
    ...roff.item(roff.bold(name), ...roff.paragraphs(description, ".IP")),
    ".IP",
    ...roff.filled(roff.prose(`Why: ${reason}`)),
    ".IP",
    ...roff.filled(
      `${roff.prose(`Value: ${form}${unit === undefined ? "" : `; ${unit}`}.`)} Default: ${value}.`,
    ),
    ...(example === undefined ? [] : roff.filled(`Such as: ${roff.bold(example)}`)),
    ...(keys.length === 0 ? [] : [".RS", ...keys.flatMap((part) => keyItem(part)), ".RE"]),
  ];
}
