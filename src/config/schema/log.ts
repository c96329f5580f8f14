// [log]: what is logged.
import { z } from "zod";

export const log = z
  .strictObject({
    level: z.enum(["debug", "info", "warn", "error"]).default("info").meta({
      description:
        '"debug", "info", "warn" or "error": this and what is worse. JSON lines on standard output: journald keeps them.',
      reason: "A line for each login and each session answers most questions later.",
    }),
  })
  .prefault({})
  .meta({ description: "What is logged." });
