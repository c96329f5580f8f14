// The folder with the sockets between the processes, and the lock that keeps a second server out of it. Runs in master.
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { tryFlock } from "../../host/flock.ts";

export type RuntimeDirClaim = { readonly kind: "claimed"; release(): void };

/** Makes the folder where it is missing, and takes it for this master: `pop3-server.pid` in it is locked and named. */
export function claimRuntimeDir(
  path: string,
): RuntimeDirClaim | { readonly kind: "failed"; readonly message: string } {
  const pidFile = `${path}/pop3-server.pid`;
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    const fd = openSync(pidFile, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
    if (!tryFlock(fd)) {
      closeSync(fd);
      return { kind: "failed", message: `${path} (server.runtime_dir) is in use by another pop3-server` };
    }
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
    return { kind: "claimed", release: () => closeSync(fd) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { kind: "failed", message: `cannot use ${path} (server.runtime_dir): ${code ?? String(error)}` };
  }
}
