import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  drawDevicePassword,
  formatDeviceLine,
  makeDevice,
} from "../../../src/accounts/devices/device-lines.ts";
import { DeviceUses, parseDeviceUses, readDeviceUses } from "../../../src/accounts/devices/device-uses.ts";
import { Devices } from "../../../src/accounts/devices/devices.ts";
import { tryFlock } from "../../../src/host/flock.ts";

let folder: string;
let passwdFile: string;
const faults: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "devices-"));
  passwdFile = join(folder, "passwd");
  writeFileSync(passwdFile, "mrose:{PLAIN}x\n");
  faults.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const created = new Date("2026-11-25T13:25:00Z");
const devicesHere = () => new Devices({ passwdFile, onFault: (reason) => faults.push(reason) });

function addDevice(user: string, name: string, file = passwdFile) {
  const password = drawDevicePassword();
  const device = makeDevice(user, name, password, created);
  writeFileSync(`${file}.devices`, `${formatDeviceLine(device)}\n`, { flag: "a" });
  return { password: Buffer.from(password), device };
}

describe("Devices", () => {
  it("finds a user's device by its password, as the file stands now", async () => {
    const devices = devicesHere();
    expect(await devices.find("mrose", Buffer.from(drawDevicePassword()))).toBeUndefined();
    const phone = addDevice("mrose", "phone");
    const laptop = addDevice("mrose", "laptop");
    const other = addDevice("joe", "phone");
    expect(await devices.find("mrose", phone.password)).toEqual(phone.device);
    expect(await devices.find("mrose", laptop.password)).toEqual(laptop.device);
    expect(await devices.find("mrose", other.password)).toBeUndefined();
    writeFileSync(`${passwdFile}.devices`, `${formatDeviceLine(laptop.device)}\n`);
    expect(await devices.find("mrose", phone.password)).toBeUndefined();
    rmSync(`${passwdFile}.devices`);
    expect(await devices.find("mrose", laptop.password)).toBeUndefined();
    expect(faults).toEqual([]);
  });

  it("lets nobody in by a file that it cannot read, and says so once", async () => {
    const devices = devicesHere();
    const phone = addDevice("mrose", "phone");
    expect(await devices.find("mrose", phone.password)).toEqual(phone.device);
    rmSync(`${passwdFile}.devices`);
    mkdirSync(`${passwdFile}.devices`);
    for (let time = 1; time <= 2; time += 1)
      expect(await devices.find("mrose", phone.password)).toBeUndefined();
    expect(faults).toEqual([`cannot read ${passwdFile}.devices: is a directory`]);
  });

  it("looks beside the file that a symbolic link names", async () => {
    mkdirSync(join(folder, "real"));
    rmSync(passwdFile);
    writeFileSync(join(folder, "real", "accounts"), "mrose:{PLAIN}x\n");
    symlinkSync("real/accounts", passwdFile);
    const phone = addDevice("mrose", "phone", join(folder, "real", "accounts"));
    expect(await devicesHere().find("mrose", phone.password)).toEqual(phone.device);
  });

  it("notes the last use where there is a file for it", async () => {
    const devices = devicesHere();
    const phone = addDevice("mrose", "phone");
    writeFileSync(`${passwdFile}.devices-used`, "000000000000:2020-01-01T00:00Z\n");
    const found = await devices.find("mrose", phone.password);
    devices.noteUse(found!);
    await devices.close();
    const uses = await readDeviceUses(`${passwdFile}.devices-used`);
    // Of the device that is gone, nothing stays.
    expect([...uses.keys()]).toEqual([phone.device.id]);
    expect(uses.get(phone.device.id)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/);
  });
});

describe("DeviceUses", () => {
  const [a, b] = ["aaaaaaaaaaaa", "bbbbbbbbbbbb"] as const;
  let now = created;
  const usesOf = (path: string) =>
    new DeviceUses({ path, isKnown: () => true, onFault: (reason) => faults.push(reason), now: () => now });

  it("writes once an hour for each device at most", async () => {
    now = created;
    const path = join(folder, "uses");
    writeFileSync(path, "");
    const uses = usesOf(path);
    uses.note(a);
    await uses.flush();
    now = new Date(created.getTime() + 59 * 60_000);
    uses.note(a);
    uses.note(b);
    await uses.flush();
    expect(readFileSync(path, "utf8")).toBe(`${a}:2026-11-25T13:25Z\n${b}:2026-11-25T14:24Z\n`);
    now = new Date(created.getTime() + 60 * 60_000);
    uses.note(a);
    await uses.flush();
    expect(readFileSync(path, "utf8")).toBe(`${a}:2026-11-25T14:25Z\n${b}:2026-11-25T14:24Z\n`);
  });

  it("makes no file and fails no login where there is none, and says so once", async () => {
    const path = join(folder, "none");
    const uses = usesOf(path);
    uses.note(a);
    await uses.flush();
    uses.note(b);
    await uses.flush();
    expect(existsSync(path)).toBe(false);
    expect(faults).toEqual([`${path}: no such file or directory`]);
    expect((await readDeviceUses(path)).size).toBe(0);
  });

  it("keeps for later what it could not write while another process had the file", async () => {
    const path = join(folder, "uses");
    writeFileSync(path, "");
    const fd = openSync(path, "r+");
    expect(tryFlock(fd)).toBe(true);
    const uses = usesOf(path);
    uses.note(a);
    await uses.flush();
    expect(readFileSync(path, "utf8")).toBe("");
    closeSync(fd);
    await uses.flush();
    expect(readFileSync(path, "utf8")).toContain(a);
  });

  it("takes nothing from a damaged file but what has its form", () => {
    expect(parseDeviceUses(`x\n${a}:2026-11-25T13:25Z\n${b}:now\n\u0000\n${b}:2026-11-25T13:25Zx\n`)).toEqual(
      new Map([[a, "2026-11-25T13:25Z"]]),
    );
  });
});
