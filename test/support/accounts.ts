// Accounts of a test: their passwd file, in the form that our server and Dovecot both read.
import { writeFileSync } from "node:fs";
import argon2 from "argon2";

export interface TestAccount {
  readonly user: string;
  readonly password: string;
  /** The password field; without it, the password's argon2id hash. */
  readonly field?: string;
  readonly uid: number;
  readonly gid: number;
  /** Absolute; its Maildir is the folder `Maildir` in it. */
  readonly home: string;
  /** Extra fields of the passwd line, such as "pop3_expire=30d". */
  readonly extra?: string;
}

/**
 * Writes `user:{ARGON2ID}hash:uid:gid::home::extra` for each account, mode 0644 (the server's auth process and Dovecot's
 * read it with uids of their own).
 */
export async function writePasswdFile(file: string, accounts: readonly TestAccount[]): Promise<void> {
  const lines = await Promise.all(
    accounts.map(async ({ user, password, field, uid, gid, home, extra = "" }) => {
      return `${user}:${field ?? (await argon2idField(password))}:${uid}:${gid}::${home}::${extra}\n`;
    }),
  );
  writeFileSync(file, lines.join(""), { mode: 0o644 });
}

/**
 * A password field in the form that Dovecot reads, too.
 *
 * @param memoryKib without it, the hash is as cheap as argon2id can be made without being refused: what most tests and
 * measurements look at comes after it
 */
export async function argon2idField(password: string, memoryKib?: number): Promise<string> {
  const cost =
    memoryKib === undefined ? { memoryCost: 64, timeCost: 1 } : { memoryCost: memoryKib, timeCost: 2 };
  const hash = await argon2.hash(password, { ...cost, parallelism: 1 });
  // The package writes m,p,t; libsodium, and so Dovecot, reads only the reference's order m,t,p.
  return `{ARGON2ID}${hash.replace(/\$(m=\d+),(p=\d+),(t=\d+)\$/, "$$$1,$3,$2$$")}`;
}
