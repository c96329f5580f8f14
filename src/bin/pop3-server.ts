#!/usr/bin/env node
// pop3-server: the daemon, in the foreground.
// Exit status: 0 sound or stopped, 1 failed, 2 usage, 78 the config is faulty (EX_CONFIG of sysexits.h): starting again is no use.
import { CommanderError } from "commander";
import { formatFault, loadConfig } from "../config/load.ts";
import { refuseDebugger } from "../host/harden.ts";
import { writesToJournal } from "../host/systemd.ts";
import { createLog } from "../log/log.ts";
import { processUsers } from "../processes/master/process-users.ts";
import { tlsFaults } from "../processes/master/tls-files.ts";
import { startMaster } from "../processes/master.ts";
import { logSettingsOf } from "../processes/settings.ts";
import { type ServerOptions, serverProgram } from "./server/program.ts";
import { explainUsage } from "./usage-errors.ts";

const FAULTY_CONFIG = 78;

try {
  await explainUsage(serverProgram(run)).parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}

async function run({ config: file, check }: ServerOptions): Promise<void> {
  const loaded = loadConfig(file);
  if (loaded.kind === "faulty") {
    for (const fault of loaded.faults) complain(formatFault(fault));
    process.exit(FAULTY_CONFIG);
  }
  const { config, lineOf } = loaded;
  const users = processUsers(config, process.getuid?.() === 0);
  if (users.kind === "unknown") {
    complain(formatFault({ file, line: lineOf(users.key), key: users.key, message: users.message }));
    process.exit(FAULTY_CONFIG);
  }
  if (check) {
    const faults = config.tls === undefined ? [] : tlsFaults(config.tls, Date.now());
    for (const fault of faults) {
      const { key } = fault;
      complain(formatFault({ file, line: lineOf(key), key, message: `${fault.file} ${fault.reason}` }));
    }
    if (faults.length > 0) process.exit(1);
    console.log(`${file}: sound`);
    return;
  }

  refuseDebugger();
  const log = createLog("master", logSettingsOf(config));
  let isStopping = false;
  let stop = (): void => process.exit(0);
  let reload = (): void => {};
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (isStopping) return;
      isStopping = true;
      log.info({ signal }, "stopping");
      stop();
    });
  }
  process.on("SIGHUP", () => reload());

  const started = await startMaster(file, config, users.users, log);
  if (started.kind === "failed") {
    complain(`pop3-server: ${started.message}`);
    process.exit(1);
  }
  const { master } = started;
  stop = () => {
    void master.drain().then(() => {
      log.info("stopped");
      process.exit(0);
    });
  };
  reload = () => master.reload();
  if (isStopping) stop();
}

/** With the priority of an error where journald reads it (sd-daemon(3)): `journalctl -p warning` shows why nothing starts. */
function complain(text: string): void {
  console.error(writesToJournal() ? `<3>${text}` : text);
}
