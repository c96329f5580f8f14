import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/load.ts";
import { mtaSockets } from "../../../src/processes/master/mta-sockets.ts";

function sockets(toml: string) {
  const result = parseConfig(`[mta]\n${toml}`, "config.toml");
  if (result.kind === "faulty") throw new Error(JSON.stringify(result.faults));
  return mtaSockets(result.config);
}

describe("mtaSockets", () => {
  it("leaves a socket to its starter where nobody is named", () => {
    expect(sockets('sasl_socket = "/a"')).toEqual({
      kind: "sockets",
      sasl: [{ path: "/a", owner: { uid: undefined, gid: undefined, mode: 0o660 } }],
      socketmap: [],
      metrics: [],
    });
  });

  it("gives each socket its own owner, else the common one", () => {
    const given = sockets(`
      sasl_socket = ["/a", { path = "/b", user = 2, group = "0", mode = "0600" }]
      socketmap_socket = { path = "/c", group = 3 }
      socket_user = "root"
      socket_mode = "0666"`);
    expect(given).toEqual({
      kind: "sockets",
      sasl: [
        { path: "/a", owner: { uid: 0, gid: undefined, mode: 0o666 } },
        { path: "/b", owner: { uid: 2, gid: 0, mode: 0o600 } },
      ],
      socketmap: [{ path: "/c", owner: { uid: 0, gid: 3, mode: 0o666 } }],
      metrics: [],
    });
  });

  it("leaves Prometheus's to the starter alone, whoever the MTA is", () => {
    const given = sockets(`
      socket_user = "root"
      [metrics]
      listen = ["/a", { path = "/b", group = 3, mode = "0660" }, "[::1]:9911"]`);
    expect(given).toMatchObject({
      metrics: [
        { path: "/a", owner: { uid: undefined, gid: undefined, mode: 0o600 } },
        { path: "/b", owner: { uid: undefined, gid: 3, mode: 0o660 } },
        { host: "::1", port: 9911 },
      ],
    });
    expect(sockets('[metrics]\nlisten = { path = "/a", user = "no-such-user" }')).toMatchObject({
      key: "metrics.listen",
    });
  });

  it("names the key of a user or group that this host does not have", () => {
    expect(sockets('sasl_socket = "/a"\nsocket_user = "no-such-user"')).toEqual({
      kind: "unknown",
      key: "mta.socket_user",
      message: 'no user "no-such-user" on this host',
    });
    expect(sockets('socketmap_socket = { path = "/a", group = "no-such-group" }')).toMatchObject({
      key: "mta.socketmap_socket",
      message: 'no group "no-such-group" on this host',
    });
  });
});
