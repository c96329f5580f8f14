// Whether Prometheus finds what was counted where `metrics.listen` says: with a running server by asking as it would, without
// one by whether the place is free.
import { lstatSync } from "node:fs";
import * as http from "node:http";
import { dirname } from "node:path";
import type { Config } from "../config/schema.ts";
import { formatListenAddress } from "../net/address.ts";
import { holderOf, reachable } from "./check-ports.ts";
import { type Finding, reporter } from "./finding.ts";

const report = reporter("metrics");
const PATIENCE_MS = 10_000;

type Place = Config["metrics"]["listen"][number];

export async function checkMetrics({ metrics }: Config, isRunning: boolean): Promise<readonly Finding[]> {
  return await Promise.all(metrics.listen.map((place) => checkPlace(place, isRunning)));
}

async function checkPlace(place: Place, isRunning: boolean): Promise<Finding> {
  const name = "port" in place ? formatListenAddress(place) : place.path;
  const answer = await answerAt(place);
  if (answer.kind === "answers" && isRunning) {
    if (answer.status === 200 && answer.isOurs) return report("ok", `${name} tells what was counted`);
    if (answer.status === 403)
      return report(
        "note",
        `${name} serves, and not this host`,
        "name it in metrics.allow_nets to see it here",
      );
  }
  if (answer.kind !== "refused") {
    const holder = "port" in place ? await holderOf(place.port) : "another program";
    const what = answer.kind === "silent" ? "does not answer" : "does not tell what this server has counted";
    return report(
      "error",
      isRunning
        ? `${name} ${what}: ${holder} has it`
        : `${name} is taken by ${holder}, and this server does not run`,
      "end the other program, or name another place in metrics.listen",
    );
  }
  if (isRunning) {
    const mend =
      "it was added after the start, or could not be opened: systemctl restart dewey-pop3, then read its log";
    return report("error", `${name} does not answer (${answer.code}), and the server runs`, mend);
  }
  return "port" in place ? report("ok", `${name} is free`) : folderFinding(place.path);
}

/** Where a socket can be made: nothing but an old socket is replaced. */
export function folderFinding(path: string, check: typeof report = report): Finding {
  const folder = dirname(path);
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    // systemd makes its own.
    return folder.startsWith("/run/")
      ? check("note", `${folder} is not there yet`, "the unit's RuntimeDirectory= makes it, if it is its own")
      : check("error", `the folder of ${path} is not there`, `install -d -m 755 ${folder}`);
  }
  const present = lstatSync(path, { throwIfNoEntry: false });
  return present === undefined || present.isSocket()
    ? check("ok", `${path} is free`)
    : check("error", `${path} is there and no socket: it is not replaced`, `mv ${path} ${path}.old`);
}

type Answer =
  | { readonly kind: "answers"; readonly status: number; readonly isOurs: boolean }
  | { readonly kind: "refused"; readonly code: string }
  | { readonly kind: "silent" };

function answerAt(place: Place): Promise<Answer> {
  const where =
    "port" in place ? { host: reachable(place.host), port: place.port } : { socketPath: place.path };
  return new Promise((resolve) => {
    const request = http.get(
      { ...where, path: "/metrics", timeout: PATIENCE_MS, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("close", () =>
          resolve({ kind: "answers", status: response.statusCode ?? 0, isOurs: /^dewey_pop3_/m.test(text) }),
        );
      },
    );
    request.on("timeout", () => {
      resolve({ kind: "silent" });
      request.destroy();
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      const { code = error.message } = error;
      const isNobody = ["ECONNREFUSED", "ENOENT", "EACCES", "ENOTSOCK"].includes(code);
      resolve(isNobody ? { kind: "refused", code } : { kind: "silent" });
    });
  });
}
