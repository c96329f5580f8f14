// Passes open descriptors between processes through a UNIX socket (SCM_RIGHTS, unix(7)), which Node offers to parents and
// children alone. Used by login processes, which pass their clients on, and by mailbox processes, which take them.
import { closeSync } from "node:fs";
import koffi from "koffi";

const iovec = koffi.struct({ base: "void *", length: "size_t" });
const messageHeader = koffi.struct({
  name: "void *",
  nameLength: "unsigned int",
  vectors: "void *",
  vectorCount: "size_t",
  control: "void *",
  controlLength: "size_t",
  flags: "int",
});
/** cmsg(3), with room for one descriptor: the kernel closes what does not fit. */
const controlMessage = koffi.struct({ length: "size_t", level: "int", type: "int", fd: "int" });

const libc = koffi.load(null);
const sendmsg = libc.func("intptr_t sendmsg(int fd, const void *message, int flags)");
const recvmsg = libc.func("intptr_t recvmsg(int fd, void *message, int flags)");

// asm-generic/socket.h, linux/socket.h.
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;

const NUMBER_BYTES = 4;
const NONE = -1;

// One message at a time is sent or received, without waiting: the same memory serves all of them.
const numberMemory = koffi.alloc("uint32_t", 1);
const vectorMemory = koffi.alloc(iovec, 1);
const controlMemory = koffi.alloc(controlMessage, 1);
const headerMemory = koffi.alloc(messageHeader, 1);
const fdOffset = controlMessage.members!["fd"]!.offset;
const controlLength = fdOffset + Int32Array.BYTES_PER_ELEMENT;
koffi.encode(vectorMemory, iovec, { base: numberMemory, length: NUMBER_BYTES });
koffi.encode(controlMemory, controlMessage, {
  length: controlLength,
  level: SOL_SOCKET,
  type: SCM_RIGHTS,
  fd: NONE,
});
koffi.encode(headerMemory, messageHeader, {
  name: null,
  nameLength: 0,
  vectors: vectorMemory,
  vectorCount: 1,
  control: controlMemory,
  controlLength,
  flags: 0,
});
const header = new Uint8Array(koffi.view(headerMemory, messageHeader.size));
const control = new Uint8Array(koffi.view(controlMemory, controlMessage.size));
const number = new Uint32Array(koffi.view(numberMemory, NUMBER_BYTES));
const fd = new Int32Array(control.buffer, fdOffset, 1);
// The kernel writes into both.
const emptyHeader = header.slice();
const emptyControl = control.slice();

function prepare(): void {
  header.set(emptyHeader);
  control.set(emptyControl);
}

/**
 * Sends a copy of a descriptor, which stays open here, without waiting.
 *
 * @param channel a connected UNIX stream socket that carries nothing else in this direction
 * @param withNumber comes with it, 0 … 2³² − 1
 * @returns false when the kernel does not take it: the other side is behind or gone, or too many are on their way
 */
export function sendDescriptor(channel: number, sent: number, withNumber: number): boolean {
  prepare();
  number[0] = withNumber;
  fd[0] = sent;
  return sendmsg(channel, headerMemory, MSG_DONTWAIT | MSG_NOSIGNAL) === NUMBER_BYTES;
}

export interface ReceivedDescriptor {
  readonly number: number;
  /** Now open here, and the caller's to close. Undefined where none came, or this process may have no more of them. */
  readonly fd: number | undefined;
}

/** Takes what was sent first, without waiting; undefined when nothing is there, or something else. */
export function receiveDescriptor(channel: number): ReceivedDescriptor | undefined {
  prepare();
  const bytes = recvmsg(channel, headerMemory, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  const received = fd[0] === NONE ? undefined : fd[0];
  if (bytes === NUMBER_BYTES) return { number: number[0]!, fd: received };
  if (received !== undefined) closeSync(received);
  return undefined;
}
