// The changes that pop3-passwd makes to the file of device passwords, as functions from its lines to its new lines. Pure; run under
// the file's lock by edit.ts, like those to the passwd file.
import type { EditChange } from "../file/edit.ts";
import { type PasswdLine, userOfLine, withLines } from "../file/passwd-lines.ts";
import { type Device, deviceNameFault, formatDeviceLine, parseDeviceLine } from "./device-lines.ts";

export function addDevice(lines: readonly PasswdLine[], device: Device): EditChange {
  const fault = deviceNameFault(device.name);
  if (fault !== undefined) return { kind: "refuse", reason: fault };
  const isThere = devicesOf(lines).some(({ user, name }) => user === device.user && name === device.name);
  if (isThere)
    return {
      kind: "refuse",
      reason: `${device.user} has a device "${device.name}" already: revoke it first`,
    };
  const start = lines.length === 0 ? withLines(lines, HEAD) : lines;
  return { kind: "write", lines: withLines(start, [formatDeviceLine(device)]) };
}

/** @param named by name or id; undefined: all of the user's */
export function revokeDevice(
  lines: readonly PasswdLine[],
  user: string,
  named: string | undefined,
): EditChange {
  const isMeant = (line: PasswdLine): boolean => {
    if (named === undefined) return userOfLine(line) === user;
    const device = parseDeviceLine(line);
    return device?.user === user && (device.name === named || device.id === named);
  };
  const rest = lines.filter((line) => !isMeant(line));
  if (rest.length < lines.length) return { kind: "write", lines: rest };
  return {
    kind: "refuse",
    reason: named === undefined ? `${user} has no device` : `${user} has no device "${named}"`,
  };
}

/** Whoever gets an account of the same name later does not get these devices with it. */
export function dropDevicesOf(lines: readonly PasswdLine[], users: ReadonlySet<string>): EditChange {
  const rest = lines.filter((line) => !users.has(userOfLine(line) ?? ""));
  return rest.length === lines.length ? { kind: "keep" } : { kind: "write", lines: rest };
}

export function devicesOf(lines: readonly PasswdLine[]): Device[] {
  return lines.map(parseDeviceLine).filter((device) => device !== undefined);
}

const HEAD = [
  "# Device passwords of the accounts in the passwd file beside this: user:id:hash:created:name.",
  "# Written by pop3-passwd device; a line that is taken out is a device that is revoked.",
];
