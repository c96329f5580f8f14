// Socket options that Node does not offer: a peer that vanished without a word (a laptop that was closed, a network that
// went away) is noticed by the kernel, whether octets wait for it or not. Set by master on listening sockets, from which
// every connection inherits them.
import koffi from "koffi";

const setsockopt = koffi
  .load(null)
  .func("int setsockopt(int fd, int level, int name, const int *value, unsigned int length)");

// socket(7), tcp(7); asm-generic/socket.h, linux/tcp.h.
const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_USER_TIMEOUT = 18;

/**
 * A connection ends with ETIMEDOUT when its peer has acknowledged nothing for this long: what was sent to it, or, while
 * nothing was, the kernel's own probes.
 *
 * @param fd a TCP socket that listens or is connected
 * @throws Error naming the option that the kernel refused
 */
export function noticeVanishedPeers(fd: number, timeoutMs: number): void {
  const seconds = (ms: number): number => Math.max(1, Math.floor(ms / 1000));
  for (const [what, level, name, value] of [
    ["SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1],
    // The first probe leaves time for several before the end.
    ["TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, seconds(timeoutMs / 2)],
    ["TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, seconds(timeoutMs / 10)],
    ["TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, timeoutMs],
  ] as const) {
    if (setsockopt(fd, level, name, [value], 4) !== 0)
      throw new Error(`setsockopt ${what}: ${koffi.errno()}`);
  }
}
