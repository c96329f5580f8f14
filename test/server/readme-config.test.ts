// README's and the guides' excerpts of config.toml that say where to listen: a server starts with each, and is there. Only
// addresses and paths are this test's own.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterAll, expect, it } from "vitest";
import { acceptsConnections } from "../peers/support/connect.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { readmeBlock } from "../support/readme.ts";
import { type Settings, startServer } from "../support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "dewey-readme-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The excerpt with these texts in place of its own, each of which has to be in it. */
function settings(block: string, changes: Readonly<Record<string, string>>): Settings {
  const changed = Object.entries(changes).reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replaceAll(from, to);
  }, block);
  return parse(changed) as Settings;
}
const start = (excerpt: Settings) => startServer({ accounts: [], owner: mailOwner(), settings: excerpt });

it("metrics: Prometheus finds them", async () => {
  const port = await freePort();
  const excerpt = settings(readmeBlock("metrics"), { "127.0.0.1:9911": `127.0.0.1:${port}` });
  const server = await start(runsAsRoot() ? { ...excerpt, server: { metrics_user: "sys" } } : excerpt);
  const page = await eventually("the page", async () => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    return response?.ok === true && (await response.text());
  });
  expect(page).toMatch(/^dewey_pop3_/m);
  await server.stop();
});

const QUESTION = {
  "auth-method": "plain",
  "auth-user": "mrose",
  "auth-pass": "secret",
  "auth-protocol": "pop3",
  "auth-login-attempt": "1",
  "client-ip": "192.0.2.1",
};

it("behind nginx: the front answers nginx, and serves nobody", async () => {
  const socket = join(folder, "nginx-auth");
  const server = await start(
    settings(readmeBlock("behind nginx"), {
      "/run/dewey-pop3/nginx-auth": socket,
      '"www-data"': JSON.stringify(mailOwner().group),
    }),
  );
  const status = await eventually("an answer", async () => {
    const asked = get({ socketPath: socket, path: "/", headers: QUESTION });
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    return response.headers["auth-status"];
  });
  expect(status).not.toBe("OK");
  expect(await acceptsConnections(server.port)).toBe(false);
  await server.stop();
});

it("behind nginx: a host greets nginx, which sends a PROXY header", async () => {
  const port = await freePort();
  const server = await start(
    settings(readmeBlock("host behind nginx"), {
      "192.0.2.11:10110": `127.0.0.1:${port}`,
      "192.0.2.10": "127.0.0.1",
    }),
  );
  const socket = connect(port, "127.0.0.1");
  const connection = Pop3Connection.over(socket);
  socket.write("PROXY TCP4 198.51.100.7 127.0.0.1 1 110\r\n");
  expect((await connection.reply()).status).toBe("+OK");
  connection.drop();
  await server.stop();
});

it("system users: an account needs no more than name and password", async () => {
  const server = await start(settings(readmeBlock("system users"), {}));
  expect(server.log().some(({ msg }) => msg === "ready")).toBe(true);
  await server.stop();
});
