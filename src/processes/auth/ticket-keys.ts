// What auth seals tickets by: for each mailbox process its own key, made when it is first needed.
import type { KeyObject } from "node:crypto";
import { BoundedMap } from "../../host/bounded-map.ts";
import { placeKeyOf, ticketKeyOf } from "../ticket.ts";

export class TicketKeys {
  readonly #base64: string;
  readonly #keys = new BoundedMap<string, KeyObject>(MAX_KEYS);

  /** @param base64 the key that they are made of */
  constructor(base64: string) {
    this.#base64 = base64;
  }

  of(place: string): KeyObject {
    const known = this.#keys.get(place);
    if (known !== undefined) return known;
    const key = ticketKeyOf(placeKeyOf(this.#base64, place));
    this.#keys.set(place, key);
    return key;
  }
}

/** As many users of the host as may well have a process of their own at one time. */
const MAX_KEYS = 1_000;
