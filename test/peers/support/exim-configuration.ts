// The files of etc/exim as they stand, in the configuration of an administrator.
import { fileURLToPath } from "node:url";

const snippet = (name: string): string =>
  fileURLToPath(new URL(`../../../etc/exim/${name}`, import.meta.url));

/** What an administrator's own configuration has around the snippets; the macros say what differs from their defaults. */
export function configuration(macros: Readonly<Record<string, string>>, authenticators: string): string {
  return `${Object.entries(macros)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join("")}
.include ${snippet("macros")}
domainlist local_domains = DEWEY_DOMAINS
acl_smtp_rcpt = check_recipient
begin acl
check_recipient:
  accept domains = +local_domains
         verify = recipient
  accept authenticated = *
  deny   message = relay not permitted
begin routers
.include ${snippet("router")}
begin transports
.include ${snippet("transport")}
begin authenticators
.include ${snippet(authenticators)}
`;
}
