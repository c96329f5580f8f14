// pop3-passwd add, set, delete, lock, unlock, verify, and USER alone.
import { type Command, Option } from "commander";
import type { Account } from "../../accounts/account.ts";
import { askPassword } from "../../accounts/ask-password.ts";
import { devicesOf, dropDevicesOf } from "../../accounts/devices/device-edits.ts";
import { deviceFilePath } from "../../accounts/devices/device-lines.ts";
import {
  accountFault,
  addAccount,
  changeDetails,
  deleteAccount,
  deleteDomain,
  findAccount,
  inTurn,
  lockAccount,
  setPassword,
  unlockAccount,
  usersOfDomain,
} from "../../accounts/file/account-edits.ts";
import type { MailOwner } from "../../accounts/mta/delivery.ts";
import { verifyForms, verifyPassword } from "../../accounts/passwords/password.ts";
import { readPasswordField } from "../../accounts/passwords/password-field.ts";
import { preparedName } from "../../accounts/passwords/saslprep.ts";
import { scramFieldsOf } from "../../accounts/passwords/scram-verifier.ts";
import {
  CHANGED_FIELD,
  isoDate,
  type StoredPassword,
  storePassword,
} from "../../accounts/passwords/stored-password.ts";
import { ownUids } from "../../config/own-uids.ts";
import { ownerFault } from "../../config/owner-fault.ts";
import type { Config } from "../../config/schema.ts";
import { locateMail } from "../../control/mailbox/mail-owner.ts";
import { findGroup, findUser } from "../../host/user-database.ts";
import type { ScramHash } from "../../sasl/mechanism.ts";
import { accountWith, addDetailOptions, changedDetails, type DetailOptions } from "./account-details.ts";
import {
  checkWritable,
  configOf,
  confirm,
  counted,
  edit,
  entered,
  existing,
  type GlobalOptions,
  hashPolicyFor,
  newPasswordOf,
  optionsOf,
  passwdFileOf,
  Refusal,
  readLines,
  realPasswdFileOf,
  withExamples,
} from "./context.ts";
import { makeMaildir, type PlannedMaildir, planMaildir } from "./make-maildir.ts";

interface PasswordOptions {
  readonly scram?: boolean;
  readonly scramSha1?: true;
  readonly dated?: true;
}

type AddOptions = GlobalOptions & DetailOptions & PasswordOptions & { readonly makeMaildir?: true };
type SetOptions = AddOptions & { readonly password?: true };

export function addAccountCommands(program: Command): void {
  const add = program
    .command("add")
    .argument("<user>", "", preparedName)
    .description("add an account; makes the file if it is missing")
    .action((user: string, _: unknown, command: Command) => addUser(user, optionsOf(command)));
  addPasswordOptions(addDetailOptions(add)).option(
    "--make-maildir",
    "make the Maildir, with the mail's owner",
  );
  withExamples(
    add,
    "add mrose@example.org --home /var/mail/example.org/mrose",
    "add mrose --uid mrose --gid mrose --home /home/mrose --make-maildir",
    "add --scheme sha512-crypt joe@example.org <password-file",
  );

  const set = program
    .command("set")
    .argument("<user>", "", preparedName)
    .description(
      "set the password; a locked account stays locked.\nWith options about the account, changes those and asks for no password",
    )
    .action((user: string, _: unknown, command: Command) => setUser(user, optionsOf(command)));
  addPasswordOptions(addDetailOptions(set))
    .option("--no-scram", "drop the second hashes for SCRAM")
    .option("--make-maildir", "make the Maildir, with the mail's owner")
    .option("--password", "set the password as well as the account's options");
  withExamples(
    set,
    "set mrose@example.org",
    "set --scram mrose@example.org",
    "set mrose@example.org --allow-nets 192.0.2.0/24,local",
    'set mrose@example.org --allow-nets ""',
  );

  const remove = program
    .command("delete")
    .argument("[user]", "", preparedName)
    .description("delete an account and its device passwords; the mail stays")
    .option("--domain <domain>", "delete every account of the domain")
    .option("--yes", "ask for no confirmation")
    .action((user: string | undefined, _: unknown, command: Command) => deleteUsers(user, command));
  withExamples(remove, "delete mrose@example.org", "delete --domain example.org");

  const lock = program
    .command("lock")
    .argument("<user>", "", preparedName)
    .description("refuse every password, of devices too, keeping the hash")
    .action((user: string, _: unknown, command: Command) => lockUser(user, optionsOf(command)));
  withExamples(lock, "lock mrose@example.org");
  const unlock = program
    .command("unlock")
    .argument("<user>", "", preparedName)
    .description("take the lock away")
    .action((user: string, _: unknown, command: Command) => unlockUser(user, optionsOf(command)));
  withExamples(unlock, "unlock mrose@example.org");
  const verify = program
    .command("verify")
    .argument("<user>", "", preparedName)
    .description("ask for a password and say whether it is right: exit status 0 or 1")
    .action((user: string, _: unknown, command: Command) => verifyUser(user, optionsOf(command)));
  withExamples(verify, "verify mrose@example.org", "verify mrose@example.org <password-file && echo right");
}

function addPasswordOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--scram", "store a second hash for SCRAM-SHA-256, behind the one other programs read"),
    )
    .option("--scram-sha-1", "the same for SCRAM-SHA-1, which old clients have")
    .option("--dated", "note the day, for audit; later changes keep it up to date");
}

async function addUser(user: string, options: AddOptions): Promise<void> {
  const path = passwdFileOf(options);
  const details = accountWith(user, options);
  // What can be refused is refused before anybody types a password.
  const fault = accountFault(details);
  if (fault !== undefined) throw new Refusal(fault);
  refuseOwner(details, options);
  const early = addAccount(await readLines(path, { missingIsEmpty: true }), details);
  if (early.kind === "refuse") throw new Refusal(early.reason);
  const maildir = planMaildirOf(details, options);
  await checkWritable(options);
  const stored = await askAndStore(user, options, []);
  const extra = new Map([...details.extra, ...(stored.extra ?? [])]);
  // Whoever had this name before and was taken out by hand may have left devices.
  await dropDevices(options, [user]);
  await edit(path, (lines) => addAccount(lines, { ...details, extra, password: stored.field }), {
    create: true,
  });
  await makePlanned(maildir);
  console.log(`${user} added`);
  const config = configOf(options);
  const mail = config && locateMail(config, { ...details, lineNumber: 0 });
  if (typeof mail === "string") console.error(`pop3-passwd: nobody can log in yet: ${mail}`);
}

/** pop3-passwd set, and pop3-passwd USER. */
export async function setUser(user: string, options: SetOptions): Promise<void> {
  const path = passwdFileOf(options);
  const lines = await readLines(path);
  const { account } = existing(findAccount(lines, user));
  const details = changedDetails(options);
  const changesDetails = details.fields.size > 0 || details.extra.size > 0 || options.makeMaildir === true;
  const setsPassword = !changesDetails || options.password === true || hasPasswordOption(options);
  const change = changeDetails(lines, user, details);
  if (change.kind === "refuse") throw new Refusal(change.reason);
  const changed = existing(findAccount(change.kind === "write" ? change.lines : lines, user)).account;
  refuseOwner(changed, options);
  const maildir = planMaildirOf(changed, options);
  await checkWritable(options);
  const stored = setsPassword ? await askAndStore(user, options, scramFieldsOf(account)) : undefined;
  await edit(path, (now) =>
    inTurn(
      now,
      (before) => (stored === undefined ? { kind: "keep" } : setPassword(before, user, stored)),
      (before) => (changesDetails ? changeDetails(before, user, details) : { kind: "keep" }),
    ),
  );
  await makePlanned(maildir);
  if (stored === undefined) console.log(`${user} changed`);
  else {
    const isLocked = readPasswordField(account.password).kind === "locked";
    console.log(
      isLocked ? `password of ${user} set; the account is still locked` : `password of ${user} set`,
    );
    await tellOfDevices(user, options);
  }
}

function hasPasswordOption({ scheme, scram, scramSha1, dated }: SetOptions): boolean {
  return scheme !== undefined || scram !== undefined || scramSha1 === true || dated === true;
}

/** @param had the second hashes that the account has: they are made anew, or the old password would go on letting in by SCRAM */
async function askAndStore(
  user: string,
  options: AddOptions,
  had: readonly ScramHash[],
): Promise<StoredPassword> {
  const scram = new Set<ScramHash>(options.scram === false ? [] : had);
  if (options.scram) scram.add("SHA-256");
  if (options.scramSha1) scram.add("SHA-1");
  const password = await newPasswordOf(user);
  const outcome = await storePassword(password, { policy: hashPolicyFor(options), scram: [...scram] });
  if (outcome.kind === "refused") throw new Refusal(outcome.reason);
  if (!options.dated) return outcome.stored;
  const extra = new Map([...(outcome.stored.extra ?? []), [CHANGED_FIELD, isoDate(new Date())] as const]);
  return { ...outcome.stored, extra };
}

async function deleteUsers(user: string | undefined, command: Command): Promise<void> {
  const options = optionsOf<{ readonly domain?: string; readonly yes?: true }>(command);
  const { domain, yes } = options;
  if ((user === undefined) === (domain === undefined))
    command.error("error: name a user, or a domain by --domain");
  const path = passwdFileOf(options);
  if (user !== undefined) {
    existingOrBad(await readLines(path), user);
    await dropDevices(options, [user]);
    await edit(path, (lines) => deleteAccount(lines, user));
    console.log(`${user} deleted`);
    return;
  }
  const users = usersOfDomain(await readLines(path), domain!);
  if (users.length === 0) throw new Refusal(`no user in ${domain}`);
  const names = users.length > 10 ? [...users.slice(0, 10), "…"] : users;
  await confirm(
    `Delete ${counted(users.length, "account")} of ${domain} (${names.join(", ")})? The mail stays.`,
    yes,
  );
  await dropDevices(options, users);
  await edit(path, (lines) => deleteDomain(lines, domain!, new Set(users)));
  console.log(`${counted(users.length, "account")} of ${domain} deleted`);
}

/** A bad line of the user can be deleted as well as a sound one. */
function existingOrBad(lines: Awaited<ReturnType<typeof readLines>>, user: string): void {
  const change = deleteAccount(lines, user);
  if (change.kind === "refuse") throw new Refusal(change.reason);
}

// Before the account goes: killed in between, this leaves an account without its devices, not devices that wait for an account.
async function dropDevices(options: GlobalOptions, users: readonly string[]): Promise<void> {
  const path = deviceFilePath(realPasswdFileOf(options));
  if ((await readLines(path, { missingIsEmpty: true })).length === 0) return;
  await edit(path, (lines) => dropDevicesOf(lines, new Set(users)));
}

async function tellOfDevices(user: string, options: GlobalOptions): Promise<void> {
  const path = deviceFilePath(realPasswdFileOf(options));
  const devices = devicesOf(await readLines(path, { missingIsEmpty: true }).catch(() => []));
  const count = devices.filter((device) => device.user === user).length;
  if (count > 0)
    console.error(
      `pop3-passwd: ${counted(count, "device password")} of ${user} still valid: see device list ${user}`,
    );
}

async function lockUser(user: string, options: GlobalOptions): Promise<void> {
  const outcome = await edit(passwdFileOf(options), (lines) => lockAccount(lines, user));
  console.log(outcome === "written" ? `${user} locked` : `${user} was locked already`);
}

async function unlockUser(user: string, options: GlobalOptions): Promise<void> {
  const outcome = await edit(passwdFileOf(options), (lines) => unlockAccount(lines, user));
  console.log(outcome === "written" ? `${user} unlocked` : `${user} was not locked`);
}

async function verifyUser(user: string, options: GlobalOptions): Promise<void> {
  const { account } = existing(findAccount(await readLines(passwdFileOf(options)), user));
  const field = readPasswordField(account.password);
  if (field.kind === "locked") throw new Refusal(`${user} is locked`);
  if (field.kind === "none") throw new Refusal(`${user} has no password`);
  const given = entered(await askPassword([`Password of ${user}:`]));
  const memoryKib = configOf(options)?.auth.verification_memory;
  const verification = await verifyForms(given, (form) =>
    verifyPassword(account.password, form, user, memoryKib),
  );
  if (verification === "mismatch") throw new Refusal(`wrong password for ${user}`);
  if (verification !== "match") throw new Refusal(`line ${account.lineNumber}: ${verification.reason}`);
  console.log(`the password of ${user} is right`);
}

/** An owner just given that the server would never serve: found now, and not by a user who cannot log in. */
function refuseOwner({ uid, gid }: Omit<Account, "lineNumber">, options: AddOptions): void {
  if (options.uid === undefined && options.gid === undefined) return;
  const user = uid === undefined ? undefined : findUser(uid);
  if (options.uid !== undefined && uid !== undefined && user === undefined)
    throw new Refusal(`--uid: no user "${uid}" on this host`);
  const group = gid === undefined ? user?.gid : findGroup(gid);
  if (options.gid !== undefined && gid !== undefined && group === undefined)
    throw new Refusal(`--gid: no group "${gid}" on this host`);
  const config = configOf(options);
  // Where all mail has one owner, these are for other readers of the file.
  if (config === undefined || config.mail.user !== undefined || user === undefined || group === undefined)
    return;
  const fault = faultOf({ uid: user.uid, gid: group }, config);
  if (fault !== undefined) throw new Refusal(fault);
}

function faultOf(owner: MailOwner, { mail, server }: Config): string | undefined {
  return ownerFault(owner, mail, ownUids(server));
}

/** Before anything is changed: what keeps the Maildir from being made is a refusal, not an afterthought. */
function planMaildirOf(
  account: Omit<Account, "lineNumber">,
  options: AddOptions,
): PlannedMaildir | undefined {
  if (options.makeMaildir === undefined) return undefined;
  const config = configOf(options);
  const mail = {
    maildir: "~/Maildir",
    ...config?.mail,
    source: config?.accounts.source,
    ownerFault: config && ((owner: MailOwner) => faultOf(owner, config)),
  };
  const planned = planMaildir({ ...account, lineNumber: 0 }, mail);
  if (typeof planned === "string") throw new Refusal(`--make-maildir: ${planned}`);
  return planned;
}

async function makePlanned(planned: PlannedMaildir | undefined): Promise<void> {
  const fault = planned && (await makeMaildir(planned));
  if (fault !== undefined) throw new Refusal(`the account is in the file, but ${fault}`);
}
