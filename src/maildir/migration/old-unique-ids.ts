// The unique-ids that a server which was here before gave, in its message number order, as its own list in the Maildir
// tells. Pure. Used by an import of unique-ids.
import type { InheritedEntry } from "../list/inherited-file.ts";
import type { CourierSizelist } from "../other-servers/courier-sizelist.ts";
import type { DovecotRecord, DovecotUidlist } from "../other-servers/dovecot-uidlist.ts";
import type { UidlFields } from "../other-servers/uidl-format.ts";

/** Records with an order come first, by it; the others by uid. */
export function dovecotUniqueIds(
  { records, uidValidity }: DovecotUidlist,
  make: (fields: UidlFields) => string,
): InheritedEntry[] {
  const ordered = records.filter(({ order }) => order !== undefined);
  ordered.sort((a, b) => a.order! - b.order! || a.uid - b.uid);
  const rest = records.filter(({ order }) => order === undefined);
  const idOf = ({ uniqueId, ...record }: DovecotRecord): string => {
    if (uniqueId === undefined) return make({ ...record, uidValidity });
    // A saved unique-id; an empty one says that it is the base name.
    return uniqueId === "" ? record.baseName : uniqueId;
  };
  return [...ordered, ...rest].map((record) => [record.baseName, idOf(record)]);
}

/** By the whole seconds that the name begins with, then by its bytes. */
export function courierUniqueIds({ records }: CourierSizelist): InheritedEntry[] {
  const timed = records.map((record) => ({
    ...record,
    time: Number(/^[0-9]{0,15}/.exec(record.baseName)![0]),
  }));
  timed.sort((a, b) => a.time - b.time || (a.baseName < b.baseName ? -1 : a.baseName > b.baseName ? 1 : 0));
  return timed.map(({ baseName, uid, uidValidity }) => {
    if (uid === 0) return [baseName, courierNameId(baseName)];
    return [baseName, uidValidity === 0 ? `UID${uid}` : `UID${uid}-${uidValidity}`];
  });
}

function courierNameId(baseName: string): string {
  return baseName.replace(
    /[^!-~]|['"+]/g,
    (byte) => `+${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
