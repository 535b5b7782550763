// The SHA-256 of an object, computed as its parts are saved.
//
// The platform's hash is fast but its state can't be saved: an export that changes instances has its object read once
// more when it is done.

interface Running {
  readonly id: string;
  readonly stream: InstanceType<typeof crypto.DigestStream>;
  readonly writer: WritableStreamDefaultWriter<ArrayBuffer | ArrayBufferView>;
  bytes: number;
}

export class ObjectHash {
  #running: Running | null = null;

  /** The next bytes of an export's object; `at`: how many are before them. */
  async add(id: string, at: number, bytes: Uint8Array): Promise<void> {
    if (at === 0) {
      const stream = new crypto.DigestStream('SHA-256');
      this.#running = { id, stream, writer: stream.getWriter(), bytes: 0 };
    }
    const running = this.#running;
    if (running === null || running.id !== id || running.bytes !== at) {
      this.#running = null;
      return;
    }
    running.bytes += bytes.length;
    await running.writer.write(bytes);
  }

  /** The hash of an export's object of this length, if all its bytes were added. */
  async finish(id: string, length: number): Promise<string | null> {
    const running = this.#running;
    this.#running = null;
    if (running === null || running.id !== id || running.bytes !== length) return null;
    await running.writer.close();
    return hexadecimal(await running.stream.digest);
  }
}

/** The hash of a stored object. */
export async function hashOf(body: ReadableStream): Promise<string> {
  const stream = new crypto.DigestStream('SHA-256');
  await body.pipeTo(stream);
  return hexadecimal(await stream.digest);
}

/** Bytes as lower-case digits. */
export function hexadecimal(bytes: ArrayBuffer | Uint8Array): string {
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
