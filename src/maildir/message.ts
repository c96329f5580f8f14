// stopgap until the engine stands
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
export class MessageFile {
  position = 0;
  octets: number | undefined;
  readonly bytes: number;
  #handle: FileHandle;
  private constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.bytes = bytes;
  }
  static async open(path: string): Promise<MessageFile> {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return new MessageFile(handle, (await handle.stat()).size);
  }
  async read(buffer: Buffer, offset: number, length: number): Promise<number> {
    const { bytesRead } = await this.#handle.read(buffer, offset, length, this.position);
    this.position += bytesRead;
    return bytesRead;
  }
  async countOctets(): Promise<number> {
    const buffer = Buffer.alloc(65536);
    let octets = 0;
    let last = 10;
    for (let position = 0; ; ) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      for (let i = 0; i < bytesRead; i++) {
        const byte = buffer[i]!;
        octets += byte === 10 && last !== 13 ? 2 : 1;
        last = byte;
      }
    }
    return octets + (last === 10 ? 0 : 2);
  }
  close(): void {
    void this.#handle.close();
  }
}
