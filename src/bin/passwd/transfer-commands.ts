// pop3-passwd import and export: accounts from other programs' files, and for them.
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { Argument, type Command, Option } from "commander";
import { importAccounts, type NewAccount } from "../../accounts/file/account-edits.ts";
import { describeFileError } from "../../accounts/file/file-error.ts";
import { writePostfixMaps } from "../../accounts/mta/postfix-map-files.ts";
import { postfixMaps } from "../../accounts/mta/postfix-maps.ts";
import { storePassword } from "../../accounts/passwords/stored-password.ts";
import { exportCsv, exportDovecot, exportJson } from "../../accounts/transfer/export.ts";
import {
  IMPORT_FORMATS,
  type ImportedAccount,
  type ImportFormat,
  readImport,
} from "../../accounts/transfer/import.ts";
import { WorkQueue } from "../../accounts/work-queue.ts";
import { commonOwner } from "../../config/common-owner.ts";
import { findGroup, findUser } from "../../host/user-database.ts";
import {
  configOf,
  edit,
  type GlobalOptions,
  hashPolicyFor,
  optionsOf,
  passwdFileOf,
  Refusal,
  readLines,
  readSource,
  withExamples,
} from "./context.ts";
import { describeLineFault, readAccounts } from "./read-accounts.ts";

type ImportOptions = GlobalOptions & {
  readonly replace?: true;
  readonly format?: ImportFormat;
  readonly passwd?: string;
  readonly dated?: true;
  readonly dryRun?: true;
};

const EXPORT_FORMATS = ["dovecot", "postfix", "exim", "csv", "json"] as const;
type ExportFormat = (typeof EXPORT_FORMATS)[number];
type ExportOptions = GlobalOptions & {
  readonly to?: string;
  readonly domain?: string;
  readonly hashes?: true;
};

export function addTransferCommands(program: Command): void {
  const importing = program
    .command("import <source>")
    .description('take accounts over from another program\'s file; "-" is standard input. Nothing is asked')
    .addOption(
      new Option("--format <format>", "what the source is (default: seen from its lines)").choices(
        IMPORT_FORMATS,
      ),
    )
    .option("--passwd <file>", "for shadow: the passwd file with uid, gid and home")
    .option("--replace", "overwrite accounts that exist already (default: they stay)")
    .option("--dated", "take over the day of the last change, where the source has it")
    .option("--dry-run", "say what would be done, and do nothing")
    .action((source: string, _: unknown, command: Command) => importFile(source, optionsOf(command)));
  withExamples(
    importing,
    "import /etc/dovecot/users",
    "import --passwd /etc/passwd --dated /etc/shadow",
    "import --dry-run /etc/courier/userdb",
    "import accounts.csv       # columns: user, password or hash, uid, gid, name, home, maildir, allow_nets",
  );

  const exporting = program
    .command("export")
    .description("give the accounts to other programs")
    .addArgument(new Argument("<format>", "for whom").choices(EXPORT_FORMATS))
    .option("--to <folder>", "for postfix and exim: where the map files uids, gids and mailboxes go")
    .option("--domain <domain>", "only the accounts of this domain")
    .option("--hashes", "for csv and json: the hashes too")
    .action((format: ExportFormat, _: unknown, command: Command) => exportAccounts(format, command));
  withExamples(
    exporting,
    "export dovecot >users",
    "export postfix --to /etc/postfix/dewey    # virtual_mailbox_maps = texthash:/etc/postfix/dewey/mailboxes",
    "export csv --domain example.org",
  );
}

async function importFile(source: string, options: ImportOptions): Promise<void> {
  const path = passwdFileOf(options);
  const passwd = options.passwd === undefined ? undefined : await readSource(options.passwd);
  const sources = { format: options.format, passwd, isDated: options.dated === true };
  const read = readImport(await readSource(source), sources);
  for (const { lineNumber, reason } of read.skipped)
    console.error(`${source}:${lineNumber}: skipped: ${reason}`);
  if (read.accounts.length === 0) throw new Refusal(`${source} holds no account to import`);
  const replace = { replace: options.replace === true };
  let counts = { added: 0, replaced: 0, kept: 0 };
  if (options.dryRun) {
    const lines = await readLines(path, { missingIsEmpty: true });
    ({ counts } = importAccounts(lines, read.accounts, replace));
  } else {
    const accounts = await hashed(read.accounts, options);
    await edit(
      path,
      (lines) => {
        const imported = importAccounts(lines, accounts, replace);
        counts = imported.counts;
        return imported.change;
      },
      { create: true },
    );
  }
  const kept =
    counts.kept > 0 && !options.replace
      ? `${counts.kept} kept as they were (--replace overwrites)`
      : undefined;
  const parts = [`${counts.added} added`, options.replace ? `${counts.replaced} replaced` : kept];
  const skipped = read.skipped.length;
  if (skipped > 0) parts.push(`${skipped} ${skipped === 1 ? "line" : "lines"} skipped`);
  if (options.dryRun) parts.push("nothing written (--dry-run)");
  console.log(parts.filter((part) => part !== undefined).join(", "));
}

/** Plain passwords of a table as the policy stores them; hashes stay what they are. */
async function hashed(accounts: readonly ImportedAccount[], options: GlobalOptions): Promise<NewAccount[]> {
  const queue = new WorkQueue(availableParallelism());
  const policy = hashPolicyFor(options);
  const hash = async ({ plainPassword, ...account }: ImportedAccount): Promise<NewAccount> => {
    if (plainPassword === undefined) return account;
    const outcome = await storePassword(Buffer.from(plainPassword), { policy });
    if (outcome.kind === "refused") throw new Refusal(`${account.user}: ${outcome.reason}`);
    return { ...account, password: outcome.stored.field };
  };
  return Promise.all(accounts.map((account) => queue.run(() => hash(account))));
}

async function exportAccounts(format: ExportFormat, command: Command): Promise<void> {
  const options = optionsOf<ExportOptions>(command);
  const { accounts, faults } = await readAccounts(options, options.domain);
  for (const fault of faults) console.error(`pop3-passwd: ${describeLineFault(fault)}`);
  const hashes = { hashes: options.hashes === true };
  switch (format) {
    case "dovecot":
      process.stdout.write(exportDovecot(accounts));
      return;
    case "csv":
      process.stdout.write(exportCsv(accounts, hashes));
      return;
    case "json":
      process.stdout.write(exportJson(accounts, hashes));
      return;
    case "postfix":
    case "exim":
      if (options.to === undefined) command.error("error: name the folder for the map files by --to");
      await exportMaps(accounts, options.to!, options);
      return;
    default:
      format satisfies never;
  }
}

// Exim's lsearch reads Postfix's text maps as they are.
async function exportMaps(
  accounts: Parameters<typeof postfixMaps>[0],
  folder: string,
  options: GlobalOptions,
): Promise<void> {
  const config = configOf(options);
  const common = commonOwner(config?.mail ?? {});
  if (common.kind === "unknown") throw new Refusal(`${common.key}: ${common.message}`);
  const maps = await postfixMaps(accounts, {
    maildir: config?.mail.maildir ?? "~/Maildir",
    owner: common.kind === "owner" ? common.owner : undefined,
    localDomains: config?.mta.local_domains ?? [],
    source: config?.accounts.source ?? "passwd-file",
    findUser,
    findGid: findGroup,
  });
  for (const { user, lineNumber, reason } of maps.leftOut)
    console.error(`pop3-passwd: line ${lineNumber} is left out: ${user}: ${reason}`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new Refusal(`cannot make ${folder}: ${describeFileError(error)}`);
  }
  const written = await writePostfixMaps(maps, { folder, type: "texthash", postmap: [] });
  if (written.kind === "failed") throw new Refusal(written.reason);
  console.log(`${maps.accounts} ${maps.accounts === 1 ? "account" : "accounts"} in ${folder}`);
}
