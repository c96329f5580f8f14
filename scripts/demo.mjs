// `npm start`: lays out a demonstration in .demo/ (two accounts, a handful of messages, a config), and runs the server
// on it. What is there from an earlier start is used as it is. `npm start -- --folder DIR --port N --tls-port N` puts it
// elsewhere.
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeCertificate } from "./certificate.mjs";

const ACCOUNTS = { mrose: "secret", jpostel: "liberal" };

const checkout = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    folder: { type: "string" },
    port: { type: "string", default: "1110" },
    "tls-port": { type: "string", default: "1995" },
  },
});
const folder = resolve(values.folder ?? join(checkout, ".demo"));
const address = `127.0.0.1:${values.port}`;
const tlsAddress = `127.0.0.1:${values["tls-port"]}`;
const certificateFile = join(folder, "certificate.pem");
const keyFile = join(folder, "private-key.pem");
const configFile = join(folder, "config.toml");
const logFile = join(folder, "server.log");

if (!existsSync(configFile)) await layOut();
else if (
  ![join(folder, "passwd"), certificateFile, address, tlsAddress].every((setting) =>
    readFileSync(configFile, "utf8").includes(JSON.stringify(setting)),
  )
) {
  console.error(
    `${folder} was made for another place, other ports or an earlier version: remove it, the next start makes a new one`,
  );
  process.exit(1);
}
run();

async function layOut() {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const passwdFile = join(folder, "passwd");
  for (const [user, password] of Object.entries(ACCOUNTS)) {
    const home = join(folder, "home", user);
    layOutMaildir(join(home, "Maildir"), fileURLToPath(new URL(`demo-mail/${user}`, import.meta.url)));
    const add = ["--file", passwdFile, "add", user, "--home", home];
    const { status } = spawnSync(join(checkout, "scripts/pop3-passwd"), add, {
      input: `${password}\n`,
      stdio: ["pipe", "ignore", "inherit"],
    });
    if (status !== 0) process.exit(1);
  }
  const { certificate, privateKey } = await makeCertificate({
    names: [
      { type: "dns", value: "localhost" },
      { type: "ip", value: "127.0.0.1" },
    ],
  });
  writeFileSync(certificateFile, certificate);
  writeFileSync(keyFile, privateKey, { mode: 0o600 });
  // The address of a UNIX socket holds 108 bytes: a checkout far down the tree has its sockets elsewhere.
  const runtimeDir =
    join(folder, "run").length <= 80
      ? join(folder, "run")
      : join(tmpdir(), `dewey-pop3-demo-${process.getuid()}`);
  // Last: a layout that was interrupted is made again.
  writeFileSync(
    configFile,
    `# The demonstration that "npm start" made; remove the folder to have it made anew.
[server]
name = "dewey"
listen = ["${address}"]
listen_tls = ["${tlsAddress}"]
runtime_dir = ${JSON.stringify(runtimeDir)}
run_as = "starter"

[tls]
certificate = ${JSON.stringify(certificateFile)}
private_key = ${JSON.stringify(keyFile)}

[auth]
passwd_file = ${JSON.stringify(passwdFile)}

[mail]
maildir = "~/Maildir"
`,
  );
}

function layOutMaildir(maildir, messages) {
  for (const part of ["cur", "new", "tmp"]) mkdirSync(join(maildir, part), { recursive: true, mode: 0o700 });
  const nowSeconds = Math.floor(Date.now() / 1000);
  readdirSync(messages)
    .sort()
    .forEach((file, index) => {
      cpSync(join(messages, file), join(maildir, "new", `${nowSeconds}.M${index}P${process.pid}.demo`));
    });
}

function run() {
  const server = spawn(join(checkout, "scripts/pop3-server"), ["--config", configFile], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const log = createWriteStream(logFile, { flags: "a" });
  createInterface({ input: server.stdout }).on("line", (line) => {
    log.write(`${line}\n`);
    const { msg } = JSON.parse(line);
    if (msg === "ready") greet();
  });
  // Ctrl-C reaches the server as well, and ending it ends this.
  process.on("SIGINT", () => {});
  // A terminal that is closed sends SIGHUP, which the server would take for a reload.
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => server.kill("SIGTERM"));
  server.on("exit", (code) => process.exit(code ?? 1));
}

function greet() {
  console.log(
    `POP3 with STLS on ${address}, POP3S on ${tlsAddress}, with a certificate signed by itself. Ctrl-C ends it.`,
  );
  console.log(`The mail is in ${folder}/home, the log in ${logFile}.`);
  console.log(
    `Try it:  curl -u mrose:secret pop3://${address}/    or    curl -u mrose:secret pop3://${address}/1`,
  );
  console.log(`With TLS:  curl --cacert ${certificateFile} -u mrose:secret pop3s://${tlsAddress}/`);
  console.log(
    `Or a mail program: POP3 server 127.0.0.1, port ${values.port}, no encryption, user mrose, password secret.`,
  );
}
