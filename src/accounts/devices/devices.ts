// The device passwords of the accounts, as the auth process asks for them: the file beside the passwd file, read again when it changed,
// and the file that their last use is noted in.
import { realpathSync } from "node:fs";
import { ChangingFile } from "../file/changing-file.ts";
import { describeErrorCode, errorCode } from "../file/file-error.ts";
import { splitLines } from "../file/passwd-lines.ts";
import { devicesOf } from "./device-edits.ts";
import {
  type Device,
  deviceFilePath,
  deviceUsesPath,
  isPasswordOf,
  normalDevicePassword,
} from "./device-lines.ts";
import { DeviceUses } from "./device-uses.ts";

export interface DevicesOptions {
  readonly passwdFile: string;
  /** For the log: what cannot be read or written, and why. */
  readonly onFault: (reason: string) => void;
}

export class Devices {
  readonly #passwdFile: string;
  readonly #onFault: (reason: string) => void;
  #file: ChangingFile | undefined;
  #uses: DeviceUses | undefined;
  #devices: ReadonlyMap<string, readonly Device[]> = new Map();
  #ids: ReadonlySet<string> = new Set();
  #toldCode: string | undefined;

  constructor({ passwdFile, onFault }: DevicesOptions) {
    this.#passwdFile = passwdFile;
    this.#onFault = onFault;
  }

  /** The user's device with this password. Looks at the file only for what has the form of a device password. */
  async find(user: string, password: Uint8Array): Promise<Device | undefined> {
    const normal = normalDevicePassword(password);
    if (normal === undefined) return undefined;
    await this.#refresh();
    return this.#devices.get(user)?.find((device) => isPasswordOf(device, normal));
  }

  noteUse({ id }: Device): void {
    this.#uses?.note(id);
  }

  /** Writes the last uses that were noted. */
  async close(): Promise<void> {
    await this.#uses?.flush();
  }

  async #refresh(): Promise<void> {
    // Beside the file itself, where the passwd file is a symbolic link: that is where pop3-passwd writes.
    const path = realPath(this.#passwdFile);
    if (this.#file?.path !== deviceFilePath(path)) this.#open(path);
    if (this.#file!.isUnchanged()) return;
    try {
      const devices = devicesOf(splitLines(await this.#file!.read()));
      this.#toldCode = undefined;
      this.#devices = groupByUser(devices);
      this.#ids = new Set(devices.map(({ id }) => id));
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined) throw error;
      // What cannot be read opens nothing: a device may have been revoked meanwhile.
      this.#devices = new Map();
      // Most installations have no such file.
      if (code !== "ENOENT" && code !== this.#toldCode)
        this.#onFault(`cannot read ${this.#file!.path}: ${describeErrorCode(code)}`);
      this.#toldCode = code;
    }
  }

  #open(passwdPath: string): void {
    void this.#uses?.flush();
    this.#file = new ChangingFile(deviceFilePath(passwdPath));
    this.#uses = new DeviceUses({
      path: deviceUsesPath(passwdPath),
      isKnown: (id) => this.#ids.has(id),
      onFault: (reason) => this.#onFault(`the last use of devices is not noted: ${reason}`),
    });
  }
}

function groupByUser(devices: readonly Device[]): ReadonlyMap<string, readonly Device[]> {
  const byUser = new Map<string, Device[]>();
  for (const device of devices) {
    const others = byUser.get(device.user);
    if (others === undefined) byUser.set(device.user, [device]);
    else others.push(device);
  }
  return byUser;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
