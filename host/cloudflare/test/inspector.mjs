// What workerd's inspector says of the memory of the Worker's isolate. Its process has others, R2's among them.

import WebSocket from 'ws';

export class Inspector {
  #socket;
  #next = 1;
  #waiting = new Map();

  /** `url`: Miniflare's. */
  static async connect(url) {
    const list = new URL('/json/list', url.href.replace(/^ws/, 'http'));
    const [target] = await (await fetch(list)).json();
    const inspector = new Inspector();
    inspector.#socket = new WebSocket(target.webSocketDebuggerUrl);
    await new Promise((resolve, reject) => inspector.#socket.on('open', resolve).on('error', reject));
    inspector.#socket.on('message', (text) => {
      const { id, result, error } = JSON.parse(text);
      const { resolve, reject } = inspector.#waiting.get(id) ?? {};
      inspector.#waiting.delete(id);
      if (error !== undefined) reject?.(new Error(error.message));
      else resolve?.(result);
    });
    return inspector;
  }

  call(method, params = {}) {
    const id = this.#next++;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** The memory of the isolate in MiB: its heap as it is reserved, and what lies outside of it: buffers and WebAssembly. */
  async memory() {
    const { totalSize, backingStorageSize = 0 } = await this.call('Runtime.getHeapUsage');
    return { heap: totalSize / 2 ** 20, buffers: backingStorageSize / 2 ** 20 };
  }

  close() {
    this.#socket.close();
  }
}
