// [log]: what is logged.
import { z } from "zod";

export const log = z
  .strictObject({
    level: z.enum(["debug", "info", "warn", "error"]).default("info").meta({
      description:
        '"debug", "info", "warn" or "error": this and what is worse. On standard output: journald keeps it, with priorities.',
      reason: "A line for each login and each session answers most questions later.",
    }),
    format: z
      .enum(["json", "text"])
      .default("json")
      .meta({
        description:
          '"json": an object a line. "text": "what happened name=value …", for those who read along. etc/log-fields.md tells of ' +
          "every field; fail2ban's filter knows both.",
        reason: "Programs that collect logs take JSON without being told its form.",
      }),
  })
  .prefault({})
  .meta({ description: "What is logged." });
