// A file system that refuses some calls.
import { type Files, systemFiles } from "../../src/maildir/files/files.ts";

/** The system's files, but for some calls. */
export const filesWith = (changed: Partial<Files>): Files => ({ ...systemFiles, ...changed });

/** What a refused call throws. */
export const fault = (code: string): Error => Object.assign(new Error(code), { code });
