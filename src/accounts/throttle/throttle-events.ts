// What one host's throttle tells those of the others, as text. Pure: what comes back from a shared store is checked like
// everything else that comes from outside.
import { z } from "zod";

const account = z.string().min(1).max(1024);
const network = z.string().min(1).max(64);

const throttleEvent = z.discriminatedUnion("kind", [
  /** A wrong password that counted. */
  z.strictObject({
    kind: z.literal("failed"),
    account,
    network: network.optional(),
    isShared: z.boolean(),
    /** The account had logged in from there before: it counts against this pair alone. */
    isKnown: z.boolean(),
  }),
  /** A right one: what was counted against account and network together is forgiven. */
  z.strictObject({ kind: z.literal("succeeded"), account, network: network.optional() }),
  /** An administrator forgave an account, a network, or everybody. */
  z.strictObject({ kind: z.literal("cleared"), account: account.optional(), network: network.optional() }),
]);

export type ThrottleEvent = z.infer<typeof throttleEvent>;

export function formatThrottleEvent(event: ThrottleEvent): string {
  return JSON.stringify(event);
}

/** Undefined for what is none: another version's, or somebody else's. */
export function parseThrottleEvent(text: string): ThrottleEvent | undefined {
  try {
    const parsed = throttleEvent.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
