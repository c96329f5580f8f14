// Every file of etc/ that is made from the programs as they are. Written by write.ts; a test finds out when that was
// forgotten.
import { completionScript } from "../control/completions.ts";
import { commandPage } from "./command-page.ts";
import { commandPages } from "./command-pages.ts";
import { configFile } from "./config-file.ts";
import { configPage } from "./config-page.ts";
import { configReference } from "./config-reference.ts";
import { logFieldsText } from "./log-fields.ts";
import { pop3Reference } from "./pop3/reference.ts";
import { release } from "./release.ts";

/** Path below etc/, and what is in it. */
export function manualFiles(): ReadonlyMap<string, string> {
  const thisRelease = release();
  const commands = commandPages().flatMap((text): [string, string][] => {
    const name = text.command.name();
    return [
      [`man/${name}.${text.number}`, commandPage(text, thisRelease)],
      [`completions/bash/${name}`, completionScript(text.command, "bash")],
      [`completions/zsh/_${name}`, completionScript(text.command, "zsh")],
      [`completions/fish/${name}.fish`, completionScript(text.command, "fish")],
    ];
  });
  return new Map([
    ["config.toml", configFile()],
    ["config.md", configReference()],
    ["pop3-commands.md", pop3Reference("en")],
    ["pop3-commands.de.md", pop3Reference("de")],
    ["log-fields.md", logFieldsText()],
    ["man/dewey-pop3.toml.5", configPage(thisRelease)],
    ...commands,
  ]);
}
