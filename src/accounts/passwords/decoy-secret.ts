// What salts are made up with for those who have none: of this host, so that a restart changes nothing (see ScramAccounts).
import { createHmac, randomBytes } from "node:crypto";
import { readMachineId } from "../../host/machine-id.ts";

export const decoySecret: Uint8Array = createHmac("sha256", readMachineId() ?? randomBytes(32))
  .update("dewey-pop3: salts of those who have none")
  .digest();
