// `mail.expire`: which messages are older than their account's retention (RFC 2449 §6.7). Used by UPDATE in the mailbox
// process.
import { deliveryTimeUs } from "../filename.ts";
import { forEachParallel } from "../files/parallel.ts";
import type { MessageList } from "../list/message-list.ts";
import { type MessagePlaces, whereverItStands } from "../list/message-places.ts";
import type { MaildropSettings } from "../maildrop-options.ts";

/**
 * Messages that stand here longer than `settings.expireMs`. EXPIRE promises that time at least, so that the later of
 * what the name and the file itself say counts: a message that was copied here keeps its old name, one that was restored
 * its old file time. What cannot be asked is not old.
 *
 * @param except indexes that are removed anyway
 */
export async function expiredMessages(
  list: MessageList,
  places: MessagePlaces,
  { files, now, parallel, expireMs }: MaildropSettings,
  except: ReadonlySet<number>,
): Promise<Set<number>> {
  const expired = new Set<number>();
  if (expireMs === undefined) return expired;
  const beforeMs = now() - expireMs;
  const candidates: number[] = [];
  for (let index = 0; index < list.count; index++) {
    if (!except.has(index) && deliveryTimeUs(list.baseName(index)) / 1000 < beforeMs) candidates.push(index);
  }
  await forEachParallel(candidates, parallel, async (index) => {
    await whereverItStands(places, index, async (path) => {
      if ((await files.lstat(path)).mtimeMs < beforeMs) expired.add(index);
    });
  });
  return expired;
}
