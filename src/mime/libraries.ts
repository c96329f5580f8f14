// The libraries that know MIME's encodings, loaded when the first message needs one: they take some 14 MB, which the
// processes of hosts without such mail are spared. Used by the mailbox process.
import { createRequire } from "node:module";
import type { Libmime } from "libmime";
import type addressparser from "nodemailer/lib/addressparser";

const require = createRequire(import.meta.url);
let loaded: { readonly libmime: Libmime; readonly parseAddresses: typeof addressparser } | undefined;

export function libraries(): NonNullable<typeof loaded> {
  loaded ??= {
    libmime: (require("libmime") as { readonly default: Libmime }).default,
    parseAddresses: (require("nodemailer/lib/addressparser") as { readonly default: typeof addressparser })
      .default,
  };
  return loaded;
}
