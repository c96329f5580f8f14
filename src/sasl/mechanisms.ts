// The table of mechanisms that the auth process can run, by their registered names.
import { login } from "./login.ts";
import type { Mechanism } from "./mechanism.ts";
import { plain } from "./plain.ts";

/** A Map, not an object: the name to look up comes from the network. In the order in which they are offered. */
export const mechanisms: ReadonlyMap<string, Mechanism> = new Map([
  ["PLAIN", plain],
  ["LOGIN", login],
]);
