// pop3-passwd device add, list, revoke: passwords of single devices, valid beside the account's own, for POP3 and SMTP alike.
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { addDevice, devicesOf, revokeDevice } from "../../accounts/devices/device-edits.ts";
import {
  deviceFilePath,
  deviceNameFault,
  deviceUsesPath,
  drawDevicePassword,
  makeDevice,
} from "../../accounts/devices/device-lines.ts";
import { readDeviceUses } from "../../accounts/devices/device-uses.ts";
import { findAccount } from "../../accounts/file/account-edits.ts";
import { makeLike } from "../../accounts/file/edit.ts";
import { describeFileError, errorCode } from "../../accounts/file/file-error.ts";
import { readPasswordField } from "../../accounts/passwords/password-field.ts";
import { preparedName } from "../../accounts/passwords/saslprep.ts";
import {
  counted,
  edit,
  existing,
  type GlobalOptions,
  optionsOf,
  passwdFileOf,
  Refusal,
  readLines,
  realPasswdFileOf,
  table,
  withExamples,
} from "./context.ts";

export function addDeviceCommands(program: Command): void {
  const device = program
    .command("device")
    .description("passwords of single devices, valid beside the account's own");

  const add = device
    .command("add")
    .argument("<user>", "", preparedName)
    .argument("<name>")
    .description("draw a password for a device and print it, this once")
    .action((user: string, name: string, _: unknown, command: Command) =>
      addOne(user, name, optionsOf(command)),
    );
  withExamples(add, 'device add mrose@example.org "phone"');
  const list = device
    .command("list")
    .argument("[user]", "", preparedName)
    .description("list devices with the days they were added and last used")
    .option("--json", "as a JSON array")
    .action((user: string | undefined, _: unknown, command: Command) => listAll(user, optionsOf(command)));
  withExamples(list, "device list", "device list mrose@example.org --json");
  const revoke = device
    .command("revoke")
    .argument("<user>", "", preparedName)
    .argument("[name]")
    .description("make a device's password worthless; the device by its name or id")
    .option("--all", "all of the user's devices")
    .action((user: string, name: string | undefined, _: unknown, command: Command) =>
      revokeSome(user, name, command),
    );
  withExamples(revoke, 'device revoke mrose@example.org "phone"', "device revoke mrose@example.org --all");
}

async function addOne(user: string, name: string, options: GlobalOptions): Promise<void> {
  const { account } = existing(findAccount(await readLines(passwdFileOf(options)), user));
  const field = readPasswordField(account.password);
  if (field.kind === "locked") throw new Refusal(`${user} is locked: its devices could not log in`);
  if (field.kind === "none") throw new Refusal(`${user} has no password: set one first`);
  const fault = deviceNameFault(name);
  if (fault !== undefined) throw new Refusal(fault);
  const passwdFile = realPasswdFileOf(options);
  const password = drawDevicePassword();
  const entry = makeDevice(user, name, password, new Date());
  await edit(deviceFilePath(passwdFile), (lines) => addDevice(lines, entry), {
    create: true,
    createLike: passwdFile,
  });
  await makeUsesFile(passwdFile);
  console.log(password);
  console.error(
    `pop3-passwd: the password of "${name}" for ${user}, shown this once; hyphens and case do not count`,
  );
}

// The auth process writes to this one: whoever may read the passwd file as a group may write here, and nobody else.
async function makeUsesFile(passwdFile: string): Promise<void> {
  const path = deviceUsesPath(passwdFile);
  if (existsSync(path)) return;
  try {
    await makeLike(path, passwdFile, (mode) => (mode & 0o660) | ((mode & 0o040) >> 1));
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    console.error(
      `pop3-passwd: the last use of devices will not be known: ${path}: ${describeFileError(error)}`,
    );
  }
}

async function listAll(
  user: string | undefined,
  options: GlobalOptions & { readonly json?: true },
): Promise<void> {
  const passwdFile = realPasswdFileOf(options);
  const lines = await readLines(passwdFile);
  if (user !== undefined) existing(findAccount(lines, user));
  const uses = await readDeviceUses(deviceUsesPath(passwdFile));
  const devices = devicesOf(await readLines(deviceFilePath(passwdFile), { missingIsEmpty: true }))
    .filter((device) => user === undefined || device.user === user)
    .map((device) => ({
      user: device.user,
      name: device.name,
      id: device.id,
      created: device.created.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"),
      lastUse: uses.get(device.id) ?? null,
    }));
  if (options.json) console.log(JSON.stringify(devices, undefined, 2));
  else if (devices.length === 0) console.log(user === undefined ? "no devices" : `${user} has no device`);
  else {
    const rows = devices.map(({ user, name, id, created, lastUse }) => [
      user,
      name,
      id,
      created,
      lastUse ?? "never",
    ]);
    console.log(table([["USER", "DEVICE", "ID", "CREATED", "LAST USE"], ...rows]));
  }
}

async function revokeSome(user: string, name: string | undefined, command: Command): Promise<void> {
  const options = optionsOf<{ readonly all?: true }>(command);
  if ((name === undefined) === (options.all === undefined)) command.error("error: name a device, or --all");
  const path = deviceFilePath(realPasswdFileOf(options));
  if (!existsSync(path)) throw new Refusal(`${user} has no device`);
  let count = 0;
  await edit(path, (lines) => {
    const change = revokeDevice(lines, user, name);
    if (change.kind === "write") count = lines.length - change.lines.length;
    return change;
  });
  console.log(
    name === undefined ? `${counted(count, "device")} of ${user} revoked` : `"${name}" of ${user} revoked`,
  );
}
