// What master and its children say to each other, over the channel that each child was started with. A message that is not of
// this form ends the process that got it.
import { z } from "zod";
import { question } from "../../control/link/questions.ts";
import { sessionsElsewhere, sessionsHere, sessionsKept, sessionsPart } from "../session-counts.ts";
import { mailOwner } from "../settings.ts";
import { askHolder, askSessions, tellHolder, tellSessions } from "./fellow-workers.ts";

/** Which question an answer belongs to. */
const id = z.int().positive();

/** What auth is answered: the process serves; never for this owner; not now. */
const placeAnswer = z.enum(["serves", "not-allowed", "unavailable"]);
export type PlaceAnswer = z.infer<typeof placeAnswer>;

/** Master to child. `configure` comes first, and again after a reload. */
export const toChild = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("configure"),
    settings: z.unknown(),
    /** It accepts nothing before it is told to take over from another process. */
    isSuccessor: z.literal(true).optional(),
  }),
  z.strictObject({ kind: z.literal("drain") }),
  /** Another process takes over: nothing new, and the end with the last session. */
  z.strictObject({ kind: z.literal("retire") }),
  /** To that one: its successor has the part that it handed on last. */
  z.strictObject({ kind: z.literal("part-taken") }),
  /** To a successor, before `take-over`: part of what the one before it has left. */
  z.strictObject({ kind: z.literal("take-part"), part: z.unknown() }),
  /** What that one has left for its successor, if it could still say. */
  z.strictObject({ kind: z.literal("take-over"), handed: z.unknown().optional() }),
  askHolder,
  tellHolder,
  askSessions,
  tellSessions,
  sessionsElsewhere,
  sessionsPart,
  z.strictObject({ kind: z.literal("ask"), id, question }),
  /** Nobody waits for the answers any more. */
  z.strictObject({ kind: z.literal("cancel"), id }),
  /** Asks for a sign of life. */
  z.strictObject({ kind: z.literal("ping") }),
  /** To metrics, which has asked: what a process has counted. It checks that; master only passes it on. */
  z.strictObject({ kind: z.literal("stats"), from: z.string(), answer: z.unknown() }),
  /** That was all. */
  z.strictObject({ kind: z.literal("stats-end"), silent: z.int().nonnegative() }),
  /** What it had counted at its end is with us. */
  z.strictObject({ kind: z.literal("stats-kept") }),
  /** To auth: what came of its request. */
  z.strictObject({
    kind: z.literal("placed"),
    id,
    answer: placeAnswer,
  }),
]);

/** Child to master. */
export const toMaster = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("ready") }),
  askHolder,
  tellHolder,
  askSessions,
  tellSessions,
  sessionsHere,
  sessionsKept,
  /** One of any number of answers; pop3-ctl checks it, master only passes it on. */
  z.strictObject({ kind: z.literal("answer"), id, answer: z.unknown() }),
  z.strictObject({ kind: z.literal("answered"), id }),
  z.strictObject({ kind: z.literal("pong") }),
  /** What it has counted, said last of all. */
  z.strictObject({ kind: z.literal("last-stats"), answer: z.unknown() }),
  /** From metrics: it wants to know what all processes have counted. */
  z.strictObject({ kind: z.literal("ask-stats") }),
  /** Said again as long as it is true. */
  z.strictObject({ kind: z.literal("over-memory"), rssBytes: z.int().positive() }),
  /** It accepts nothing any more, and has more to leave than fits `retired`: the next part follows when this one is taken. */
  z.strictObject({ kind: z.literal("hand-on"), part: z.unknown() }),
  /** From a successor. */
  z.strictObject({ kind: z.literal("part-taken") }),
  /** It accepts nothing any more. Its successor checks what it left; master only passes it on. */
  z.strictObject({ kind: z.literal("retired"), handed: z.unknown().optional() }),
  /** From auth: the mailbox process for this owner is about to be needed. */
  z.strictObject({ kind: z.literal("place"), id: id, owner: mailOwner }),
  /** From the mailbox process of one owner: how many sessions it has, and how many tickets it was shown since it last told. */
  z.strictObject({
    kind: z.literal("sessions"),
    open: z.int().nonnegative(),
    presented: z.int().nonnegative(),
  }),
]);

export type ToChild = z.infer<typeof toChild>;
export type ToMaster = z.infer<typeof toMaster>;
