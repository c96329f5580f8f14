// nginx and HAProxy with the files of etc/, as a test's front: what names the administrator's own hosts and files is replaced, the
// rest is fed to them as it stands.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runsAsRoot } from "../../support/mail-owner.ts";
import { type RunningProgram, startProgram } from "../../support/program.ts";

type Replacements = readonly (readonly [from: string, to: string])[];

/** @throws when something to be replaced does not stand in the file */
function etcFile(name: string, replacements: Replacements): string {
  let text = readFileSync(new URL(`../../../etc/${name}`, import.meta.url), "utf8");
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`etc/${name} does not say ${from} any more`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** @param wrapper put before the program */
export async function startNginx(
  folder: string,
  wrapper: readonly string[],
  replacements: Replacements,
): Promise<RunningProgram> {
  const mail = join(folder, "dewey-pop3.conf");
  writeFileSync(mail, etcFile("nginx/dewey-pop3.conf", replacements));
  const file = join(folder, "nginx.conf");
  // What Debian's nginx.conf has around it.
  writeFileSync(
    file,
    `${runsAsRoot() ? "user www-data;\n" : ""}daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
events { worker_connections 1024; }
include ${mail};
`,
  );
  return start([...wrapper, "/usr/sbin/nginx", "-e", "stderr", "-p", folder, "-c", file]);
}

export async function startHaproxy(
  folder: string,
  wrapper: readonly string[],
  replacements: Replacements,
): Promise<RunningProgram> {
  const file = join(folder, "haproxy.cfg");
  writeFileSync(file, etcFile("haproxy/dewey-pop3.cfg", replacements));
  return start([...wrapper, "/usr/sbin/haproxy", "-db", "-f", file]);
}

function start([program, ...args]: readonly string[]): Promise<RunningProgram> {
  return startProgram(program!, args);
}
