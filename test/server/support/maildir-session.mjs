// One session of the built Maildir engine in a process of its own, on the real file system: what a mailbox process does
// between login and QUIT. Read from standard input by `node -`, so that any user can run it.
//
// Arguments: the folder of the built modules, the Maildir, and as JSON: maildrop options; `deleted` and `retrieved`, base
// names; `dieAt` ends the process by SIGKILL right before the so many-th call to the file system from the beginning of
// UPDATE to the end of the session. Without it, a last line on standard output tells as JSON what happened.
import { pathToFileURL } from "node:url";

const [modules, path, json] = process.argv.slice(2);
const { deleted = [], retrieved = [], dieAt = Number.POSITIVE_INFINITY, ...options } = JSON.parse(json);
const load = (name) => import(pathToFileURL(`${modules}/maildir/${name}.js`).href);
const { Maildrop } = await load("maildrop");
const { systemFiles } = await load("files/files");

let calls;
const files = Object.fromEntries(
  Object.entries(systemFiles).map(([name, call]) => [
    name,
    (...given) => {
      if (calls !== undefined && ++calls === dieAt) process.kill(process.pid, "SIGKILL");
      return call(...given);
    },
  ]),
);

const events = [];
const opened = await Maildrop.open(path, { ...options, files, onEvent: (event) => events.push(event) });
if (opened.kind !== "open") {
  console.log(JSON.stringify({ opened }));
} else {
  const { maildrop } = opened;
  await maildrop.measure();
  const messages = [];
  for (let index = 0; index < maildrop.count; index++) {
    const uniqueId = maildrop.uniqueId(index);
    const message = await maildrop.openMessage(index);
    if (message.kind !== "message") {
      messages.push({ uniqueId, octets: maildrop.octets(index), failure: message.code ?? message.kind });
      continue;
    }
    const buffer = Buffer.alloc(message.file.bytes);
    await message.file.read(buffer, 0, buffer.length);
    message.file.close();
    messages.push({ uniqueId, octets: maildrop.octets(index), content: buffer.toString("latin1") });
  }
  const indexesOf = (names) =>
    new Set(
      names.map((name) => messages.findIndex(({ uniqueId }) => uniqueId === name)).filter((i) => i >= 0),
    );
  calls = 0;
  const result = await maildrop.update({ deleted: indexesOf(deleted), retrieved: indexesOf(retrieved) });
  maildrop.close();
  await maildrop.closed;
  console.log(JSON.stringify({ messages, result, calls, events }));
}
