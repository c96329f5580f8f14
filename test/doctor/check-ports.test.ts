import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, it } from "vitest";
import { checkPorts } from "../../src/doctor/check-ports.ts";
import { configOf } from "./config-of.ts";

it("a port that another program has by IPv4 alone is not free for all addresses", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const check = async () =>
    (await checkPorts(configOf(`[server]\nlisten = ["*:${port}"]\n`), false)).map(
      ({ level, message }) => `${level}: ${message}`,
    );
  expect(await check()).toEqual([
    expect.stringMatching(`^error: \\[::\\]:${port} \\(server\\.listen\\) is taken by `),
  ]);
  other.close();
  await once(other, "close");
  expect(await check()).toEqual([`ok: [::]:${port} (server.listen) is free`]);
});
