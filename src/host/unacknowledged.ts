// How many octets the kernel still holds for a peer: written, and not acknowledged by it. Node does not offer it.
import koffi from "koffi";

const ioctl = koffi.load(null).func("int ioctl(int fd, unsigned long request, _Out_ int *value)");

/** tcp(7), unix(7); asm-generic/ioctls.h. */
const SIOCOUTQ = 0x5411;

/** @param fd a connected socket. 0 for what is none */
export function unacknowledgedOctets(fd: number): number {
  const value = [0];
  return ioctl(fd, SIOCOUTQ, value) === 0 ? value[0]! : 0;
}
