// The memory of parts, used again: a new buffer for each part would wait for the garbage collector, with others behind it.

export class PartBuffers {
  #free: Uint8Array[] = [];

  /** One of this size; what is in it is of no use. */
  take(size: number): Uint8Array {
    const free = this.#free.pop();
    return free?.length === size ? free : new Uint8Array(size);
  }

  /** Takes one back, which nobody reads any more. */
  give(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }

  clear(): void {
    this.#free = [];
  }
}
