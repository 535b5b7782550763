// Runs `partway serve` over a database of its own.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PARTWAY, sqlite } from './harness.mjs';

export class Service {
  #process;
  #folder;
  #address;

  /** `options`: of the command line; `secret` signs callbacks; without a store, dumps are streamed. */
  static async start(statements, { secret, isStore = true, options = [] } = {}) {
    const service = new Service();
    const folder = mkdtempSync(join(tmpdir(), 'partway-service-'));
    service.#folder = folder;
    const database = join(folder, 'subject.sqlite');
    sqlite(database, `PRAGMA journal_mode=WAL; ${statements.join(';\n')};`);
    const parameters = ['serve', database, '--listen', '127.0.0.1:0', ...options];
    if (isStore) {
      mkdirSync(join(folder, 'store'));
      parameters.push('--store', join(folder, 'store'), '--state', join(folder, 'state'));
    }
    if (secret !== undefined) {
      writeFileSync(join(folder, 'secret'), secret, { mode: 0o600 });
      parameters.push('--callback-secret-file', join(folder, 'secret'));
    }
    service.#process = spawn(PARTWAY, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
    service.#address = await service.#listening();
    return service;
  }

  #listening() {
    const errors = [];
    createInterface({ input: this.#process.stderr }).on('line', (line) => errors.push(line));
    return new Promise((resolve, reject) => {
      createInterface({ input: this.#process.stdout }).on('line', (line) => {
        const [, address] = /listening on (http:\S+)/.exec(line) ?? [];
        if (address !== undefined) resolve(address);
      });
      this.#process.on('exit', () => reject(new Error(`partway serve has ended: ${errors.join('\n')}`)));
    });
  }

  fetch(path, init) {
    return fetch(`${this.#address}/${path}`, init);
  }

  async stop() {
    const ended = new Promise((resolve) => this.#process.on('exit', resolve));
    this.#process.kill();
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
