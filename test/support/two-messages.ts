// What most sessions need: two messages that can be told apart, of 8 octets as sent.
export const twoMessages: ReadonlyMap<string, Buffer> = new Map([
  ["new/1.one", Buffer.from("A: 1\n\n")],
  ["new/2.two", Buffer.from("A: 2\n\n")],
]);
