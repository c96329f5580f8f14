// Reads a test server's metrics as Prometheus does.
import * as http from "node:http";
import { parseListenAddress } from "../../src/net/address.ts";
import type { TestServer } from "./server.ts";

export interface Scraped {
  readonly status: number | undefined;
  readonly text: string;
  /** By name with labels: `dewey_pop3_sessions_total{reason="quit"}`, `dewey_pop3_connections_total{}`. */
  readonly values: Readonly<Record<string, number>>;
}

/** Where it serves them by TCP. */
export function metricsAddress(server: Pick<TestServer, "log">): {
  readonly host: string;
  readonly port: number;
} {
  const names = server.log().find(({ msg }) => msg === "ready")?.["metrics"] as readonly string[] | undefined;
  const address = names?.map(parseListenAddress).find((each) => each !== undefined);
  if (address === undefined) throw new Error("the server serves no metrics by TCP");
  return address;
}

export function scrape(options: http.RequestOptions): Promise<Scraped> {
  return new Promise((resolve, reject) => {
    const request = http.request({ path: "/metrics", agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: response.statusCode,
          text,
          values: response.statusCode === 200 ? valuesOf(text) : {},
        });
      });
    });
    request.on("error", reject);
    request.end();
  });
}

function valuesOf(text: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, labels = "{}", value] = /^([a-z0-9_]+)(\{.*\})? (\S+)$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`no line of metrics: ${line}`);
      return [`${name}${labels}`, Number(value)];
    }),
  );
}
