// A connection's descriptor, and reading from it on our word alone: what it takes to pass a connection to another process.
// Node keeps both to itself (`_handle` is what its own child_process passes on).
import type * as net from "node:net";

interface Handle {
  readonly fd: number;
  /** Node's own note. */
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

/** Undefined where the connection is closed. */
export function descriptorOf(socket: net.Socket): number | undefined {
  const fd = handleOf(socket)?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

/** What comes from now on stays in the kernel: `pause` alone lets Node fill its buffer first. */
export function holdReading(socket: net.Socket): void {
  const handle = handleOf(socket);
  if (handle === undefined) return;
  // Whose stream has asked for octets already asks for no more until some come, and so begins nothing behind our back.
  socket.read(0);
  handle.reading = false;
  handle.readStop();
}

/** Ends what `holdReading` began. */
export function readOn(socket: net.Socket): void {
  const handle = handleOf(socket);
  if (handle === undefined) return;
  handle.reading = true;
  handle.readStart();
}

function handleOf(socket: net.Socket): Handle | undefined {
  return (socket as unknown as { readonly _handle?: Handle | null })._handle ?? undefined;
}
