// A connection's descriptor, and reading from it on our word alone: what it takes to pass a connection to another process.
// Node keeps both to itself (`_handle` is what its own child_process passes on).
import * as net from "node:net";

interface Handle {
  readonly fd: number;
  /** Node's own note. */
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

/** Whether this Node has them where we look: without them connections work as ever, but are passed to nobody. */
export function knowsDescriptors(): boolean {
  // One that is being made has its descriptor at once, whatever becomes of it.
  const socket = net.connect({ path: "/" });
  socket.on("error", () => {
    // Nobody listens there.
  });
  const isKnown = descriptorOf(socket) !== undefined;
  socket.destroy();
  return isKnown;
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
  const handle = (socket as unknown as { readonly _handle?: Partial<Handle> | null })._handle;
  return isWhole(handle) ? handle : undefined;
}

/** Another version of Node may have changed any of it. */
function isWhole(handle: Partial<Handle> | null | undefined): handle is Handle {
  return (
    typeof handle?.fd === "number" &&
    typeof handle.readStart === "function" &&
    typeof handle.readStop === "function"
  );
}
