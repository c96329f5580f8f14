// One page by HTTP, such as metrics: GET and HEAD of one path, to whom is allowed, and nothing else. Used by the metrics
// process.
import * as http from "node:http";
import type { Networks } from "../host/networks.ts";

export interface Page {
  readonly path: string;
  /** Who may ask by TCP; who may connect to a UNIX socket is decided by its mode. */
  allowed(): Networks;
  /** What stands there now; undefined: it cannot be told at the moment. */
  read(): Promise<{ readonly contentType: string; readonly text: string } | undefined>;
}

export interface PageServer {
  /** Resolves when no request is left. */
  close(): Promise<void>;
}

/** Serves on an inherited socket; resolves when it listens. */
export function servePage(fd: number, page: Page): Promise<PageServer> {
  const server = http.createServer(
    { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    (request, response) => {
      void answer(request, page).then(
        ({ status, text, contentType = "text/plain; charset=utf-8", headers }) => {
          response.writeHead(status, {
            "content-type": contentType,
            "content-length": Buffer.byteLength(text),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            ...(status === 200 ? {} : { connection: "close" }),
            ...headers,
          });
          response.end(request.method === "HEAD" ? undefined : text);
        },
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd }, () => {
      server.off("error", reject);
      resolve({
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeIdleConnections();
          }),
      });
    });
  });
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function answer({ method, url, socket }: http.IncomingMessage, page: Page): Promise<Answer> {
  const { remoteAddress } = socket;
  if (remoteAddress !== undefined && !page.allowed().has(remoteAddress)) {
    return { status: 403, text: "not for your address (metrics.allow_nets)\n" };
  }
  if (url?.split("?")[0] !== page.path)
    return { status: 404, text: `there is ${page.path}, and nothing else\n` };
  if (method !== "GET" && method !== "HEAD") {
    return { status: 405, text: "GET or HEAD\n", headers: { allow: "GET, HEAD" } };
  }
  const content = await page.read();
  if (content === undefined) return { status: 503, text: "the server does not answer at the moment\n" };
  return { status: 200, ...content };
}

/** A request is a few lines. */
const REQUEST_MS = 10_000;
/** Prometheus asks every minute by default, and keeps its connection. */
const KEEP_ALIVE_MS = 90_000;
/** Some that scrape, and somebody who looks. */
const MAX_CONNECTIONS = 32;
