#!/usr/bin/env node
// pop3-ctl: runs a server. Run by the administrator, as root or as whoever started it.
// Exit status: 0 done, 1 refused with one line on standard error, 2 usage; doctor's own are in its help.
import "./end-with-reader.ts";
import { CommanderError } from "commander";
import { Refusal } from "../control/terminal/refusal.ts";
import { ctlProgram } from "./ctl/program.ts";
import { explainUsage } from "./usage-errors.ts";

try {
  await explainUsage(ctlProgram()).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof Refusal) {
    console.error(`pop3-ctl: ${error.message}`);
    process.exitCode = error.exitCode;
  } else throw error;
}
