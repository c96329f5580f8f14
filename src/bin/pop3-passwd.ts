#!/usr/bin/env node
// pop3-passwd: the accounts of the passwd file. Run by the administrator, as root or as the file's owner.
// Exit status: 0 done, 1 refused with one line on standard error, 2 usage, 130 interrupted at the prompt.
import "./end-with-reader.ts";
import { CommanderError } from "commander";
import { Refusal } from "./passwd/context.ts";
import { passwdProgram } from "./passwd/program.ts";
import { explainUsage } from "./usage-errors.ts";

try {
  await explainUsage(passwdProgram()).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof Refusal) {
    if (error.message !== "") console.error(`pop3-passwd: ${error.message}`);
    process.exitCode = error.exitCode;
  } else throw error;
}
