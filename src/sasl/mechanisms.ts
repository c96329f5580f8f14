// The table of mechanisms that the auth process can run, by their registered names.
import { external } from "./external.ts";
import { login } from "./login.ts";
import type { Mechanism } from "./mechanism.ts";
import { plain } from "./plain.ts";
import { scram } from "./scram.ts";

/** A Map, not an object: the name to look up comes from the network. In the order in which they are offered. */
export const mechanisms: ReadonlyMap<string, Mechanism> = new Map([
  ["PLAIN", plain],
  ["LOGIN", login],
  ["SCRAM-SHA-256", scram("SHA-256", "without")],
  ["SCRAM-SHA-1", scram("SHA-1", "without")],
  ["SCRAM-SHA-256-PLUS", scram("SHA-256", "with")],
  ["SCRAM-SHA-1-PLUS", scram("SHA-1", "with")],
  ["EXTERNAL", external],
]);
