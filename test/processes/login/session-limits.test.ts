import { describe, expect, it } from "vitest";
import { Place, type SessionLimit, SessionLimits } from "../../../src/processes/login/session-limits.ts";

const options = { maxSessions: 5, maxSessionsPerAddress: 2, maxSessionsHere: 100 };

/** @throws when there is none */
function placeOf(limits: SessionLimits): Place {
  const place = limits.enter();
  if (place instanceof Place) return place;
  throw new Error(place);
}

describe("SessionLimits", () => {
  it("says no to the connection beyond the limit, and yes again when one has left", () => {
    const limits = new SessionLimits(options);
    const places = Array.from({ length: 5 }, () => placeOf(limits));
    expect(limits.enter()).toBe("sessions");
    places[2]!.closed();
    placeOf(limits);
    expect(limits.enter()).toBe("sessions");
  });

  it("counts an IPv4 address by itself, an IPv6 one with its /64", () => {
    const limits = new SessionLimits({ ...options, maxSessions: 100 });
    const enterFrom = (address: string): Place | SessionLimit => {
      const place = placeOf(limits);
      return place.enterFrom(address) ?? place;
    };
    const verdicts = [
      ["192.0.2.1", true],
      ["192.0.2.1", true],
      ["192.0.2.1", false],
      ["::ffff:192.0.2.1", false],
      ["192.0.2.2", true],
      ["2001:db8:1:2::1", true],
      ["2001:db8:1:2:ffff:ffff:ffff:ffff", true],
      ["2001:db8:1:2:3::", false],
      ["2001:db8:1:3::1", true],
    ] as const;
    const places = verdicts.map(([address, isLetIn]) => {
      const place = enterFrom(address);
      if (isLetIn) expect(place, address).toBeInstanceOf(Place);
      else expect(place, address).toBe("sessions_per_address");
      return place as Place;
    });
    places[5]!.closed();
    expect(enterFrom("2001:db8:1:2:3::")).toBeInstanceOf(Place);
  });

  it("keeps to what its process has descriptors for, whatever the config allows", () => {
    const limits = new SessionLimits({ ...options, maxSessionsHere: 1 });
    const place = placeOf(limits);
    expect(limits.enter()).toBe("open_files");
    // Given up, but not closed yet.
    place.giveUp();
    expect(limits.enter()).toBe("open_files");
    place.closed();
    placeOf(limits);
  });

  it("counts one that is passed on until it is given up, but not its descriptor here", () => {
    const limits = new SessionLimits({ ...options, maxSessions: 2, maxSessionsHere: 1 });
    const place = placeOf(limits);
    place.enterFrom("192.0.2.1");
    place.passOn();
    place.closed();
    const second = placeOf(limits);
    second.closed();
    limits.heard({ "": 1, "192.0.2.1": 1 });
    expect(limits.enter()).toBe("sessions");
    limits.heard({ "": 0 });
    expect(placeOf(limits).enterFrom("192.0.2.1")).toBe("sessions_per_address");
    place.giveUp();
    place.giveUp();
    expect([...limits.excessOver({ "": 0, "192.0.2.1": 0 })]).toEqual([
      { limit: "sessions", network: undefined, count: 1 },
    ]);
  });

  it("follows a reload", () => {
    const limits = new SessionLimits(options);
    for (let i = 0; i < 5; i++) placeOf(limits);
    limits.configure({ ...options, maxSessions: 6 });
    placeOf(limits);
    limits.configure({ ...options, maxSessions: 2 });
    expect(limits.enter()).toBe("sessions");
  });

  it("tells how much is beyond its part", () => {
    const limits = new SessionLimits(options);
    for (let i = 0; i < 3; i++) placeOf(limits).enterFrom("2001:db8::1");
    expect([...limits.excessOver({ "": 3, "2001:db8:0:0::/64": 1, "192.0.2.1": 0 })]).toEqual([
      { limit: "sessions_per_address", network: "2001:db8:0:0::/64", count: 1 },
    ]);
  });
});
