// The kinds of Postfix maps that `mta.postfix_maps` writes (DATABASE_README of Postfix). Used by schema.ts and in master's settings.

export const POSTFIX_MAP_TYPES = ["hash", "btree", "lmdb", "cdb", "texthash"] as const;
