// Runs the Worker of the tests in the real workerd, and compares with the `partway` program.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Miniflare } from 'miniflare';
import { Inspector } from './inspector.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The program to compare with, and the stock `sqlite3`. */
export const PARTWAY = process.env.PARTWAY_PROGRAM ?? join(root, '../../target/debug/partway');
const SQLITE = process.env.SQLITE3_PROGRAM ?? 'sqlite3';

/** A running workerd, with its R2 and the databases of its objects in a folder of its own. */
export class World {
  #miniflare;
  #folder;
  #ids = new Map();
  #copies = 0;
  /** The last lines that workerd wrote, and whether it has closed its output: then it has ended. */
  #lastLines = [];
  #hasEnded = false;

  static async start(options = {}) {
    const world = new World();
    world.#folder = mkdtempSync(join(tmpdir(), 'partway-cloudflare-'));
    world.#miniflare = new Miniflare({
      rootPath: root,
      scriptPath: options.script ?? 'test/worker.mjs',
      modules: true,
      modulesRules: [
        { type: 'ESModule', include: ['**/*.js', '**/*.mjs'] },
        { type: 'CompiledWasm', include: ['**/*.wasm'] },
      ],
      compatibilityDate: '2026-04-01',
      durableObjects: { SUBJECT: { className: 'Subject', useSQLite: true } },
      durableObjectsPersist: join(world.#folder, 'objects'),
      r2Buckets: ['BUCKET'],
      r2Persist: join(world.#folder, 'bucket'),
      cf: false,
      handleRuntimeStdio: (output, errors) => {
        for (const stream of [output, errors]) world.#watch(stream);
      },
      ...options.miniflare,
    });
    await world.#miniflare.ready;
    return world;
  }

  get folder() {
    return this.#folder;
  }

  /** Where the Worker is reached. */
  url() {
    return this.#miniflare.ready;
  }

  /** Of a world that was started with an `inspectorPort`. */
  async inspector() {
    return Inspector.connect(await this.#miniflare.getInspectorURL());
  }

  async stop() {
    await this.#miniflare.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * A request on a connection of its own: workerd closes those that are idle for 5 s, on a busy machine in the very
   * moment in which the next request is sent.
   */
  async fetch(path, init = {}) {
    const headers = { ...init.headers, connection: 'close' };
    try {
      return await this.#miniflare.dispatchFetch(`http://localhost/${path}`, { ...init, headers });
    } catch (error) {
      // undici says no more than "fetch failed".
      if (error.cause === undefined) throw error;
      const { code = '', message } = error.cause;
      const state = this.#hasEnded ? `workerd has ended; it wrote last:\n${this.#lastLines.join('\n')}` : 'workerd runs';
      throw new Error(`${path}: ${error.message}: ${code} ${message} (${state})`, { cause: error });
    }
  }

  #watch(stream) {
    if (process.env.PARTWAY_SHOW_LOG) stream.pipe(process.stderr);
    createInterface({ input: stream }).on('line', (line) => {
      this.#lastLines = [...this.#lastLines.slice(-19), line];
    });
    stream.on('close', () => {
      this.#hasEnded = true;
    });
  }

  /** An object of its own; `options` are its exporter's. */
  subject(label, options = {}) {
    return new Subject(this, `${label}${JSON.stringify(options)}`);
  }

  async objects(memory = '') {
    return (await this.fetch(`bucket?memory=${memory}`)).json();
  }

  async stored(key, memory = '') {
    const response = await this.fetch(`bucket?key=${encodeURIComponent(key)}&memory=${memory}`);
    return response.ok ? Buffer.from(await response.arrayBuffer()) : null;
  }

  /** Puts an object into the bucket. */
  async put(key, bytes) {
    const response = await this.fetch(`bucket?key=${encodeURIComponent(key)}`, { method: 'PUT', body: bytes });
    if (!response.ok) throw new Error(`${key}: ${response.status} ${await response.text()}`);
  }

  /** Puts a file into the bucket, in parts. */
  async putFile(key, file) {
    const path = `bucket?key=${encodeURIComponent(key)}&upload=`;
    const post = async (rest, body) => (await this.fetch(path + rest, { method: 'POST', body })).json();
    const id = encodeURIComponent(await post('', ''));
    const receipts = [];
    for await (const part of createReadStream(file, { highWaterMark: 10 * 1024 * 1024 })) {
      receipts.push(await post(`${id}&part=${receipts.length + 1}`, part));
    }
    return post(id, JSON.stringify(receipts));
  }

  /** The file of an object's database. */
  async file(subject) {
    if (!this.#ids.has(subject.name)) this.#ids.set(subject.name, await subject.json('id'));
    const folder = join(this.#folder, 'objects');
    const [classFolder] = readdirSync(folder);
    return join(folder, classFolder, `${this.#ids.get(subject.name)}.sqlite`);
  }

  /** A copy of an object's database as it is now, without the tables of exports and of the platform. */
  async copy(subject) {
    const copy = join(this.#folder, `copy-${(this.#copies += 1)}.sqlite`);
    run(SQLITE, [await this.file(subject), `.backup '${copy}'`]);
    const own = `SELECT type, name FROM sqlite_master WHERE name GLOB 'tmp_export_*' OR name GLOB 'tmp_import_*' OR name LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY type = 'table'`;
    const names = run(SQLITE, ['-separator', ' ', copy, own]).trim().split('\n').filter((line) => !/^(index|$)/.test(line));
    if (names.length > 0) run(SQLITE, [copy, names.map((name) => `DROP ${name};`).join('\n')]);
    return copy;
  }
}

/** An object of the Worker. */
export class Subject {
  constructor(world, name) {
    this.world = world;
    this.name = name;
  }

  fetch(path, init) {
    return this.world.fetch(`${encodeURIComponent(this.name)}/${path}`, init);
  }

  async json(path, init) {
    const response = await this.fetch(path, init);
    const text = await response.text();
    // It reached the instance that was evicted; the platform delivers alarms again, too.
    if (response.status === 500 && text.includes('evicted by the test')) return this.json(path, init);
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`${path}: ${response.status} ${text.slice(0, 500)}`);
    }
  }

  post(path, body) {
    return this.json(path, { method: 'POST', body: JSON.stringify(body) });
  }

  /** Runs statements; fails if one does. The rows of the last one. */
  async sql(...statements) {
    const results = await this.post('sql', statements);
    const index = results.findIndex((result) => result.error !== undefined);
    if (index >= 0) throw new Error(`${results[index].error}: ${statements[index].slice(0, 200)}`);
    return results.at(-1);
  }

  set(world) {
    return this.post('world', world);
  }

  /** Starts an export; its id. */
  async start(parameters = {}) {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify(parameters);
    const response = await this.fetch('export/dump', { method: 'POST', headers, body });
    const { result, error } = await response.json();
    if (response.status !== 202) throw new Error(`${response.status}: ${error}`);
    return result.exportId;
  }

  async status(id) {
    const { result, error } = await this.json(`export/status/${id}`);
    if (result === null) throw new Error(error);
    return result;
  }

  /** Waits until an export has ended. */
  async ended(id) {
    for (;;) {
      const status = await this.status(id);
      if (['done', 'failed', 'cancelled'].includes(status.status)) return status;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Begins an import; its id. Fails with the error's reason in front. */
  async importFrom(key, options = {}) {
    const { id, reason, error } = await this.post('import', { key, options });
    if (error !== undefined) throw new Error(`${reason}: ${error}`);
    return id;
  }

  importStatus(id) {
    return this.json(`import-status?id=${id}`);
  }

  cancelImport(id) {
    return this.post(`import-cancel?id=${id}`, null);
  }

  /** Waits until an import has ended. */
  async importEnded(id) {
    for (;;) {
      const status = await this.importStatus(id);
      if (['done', 'failed', 'cancelled'].includes(status.status)) return status;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** A new instance takes over, as after an eviction. */
  async evict() {
    await this.fetch('evict').catch(() => undefined);
  }

  /** What is left in the database of exports and imports, but for their records. */
  async leftovers() {
    const rows = await this.sql(
      "SELECT name FROM sqlite_master WHERE name GLOB 'tmp_??port_*' AND name NOT IN ('tmp_export_state', 'tmp_export_parts', 'tmp_export_encoded', 'tmp_export_alarms', 'tmp_import_state')",
    );
    return rows.flat();
  }
}

/** The process of workerd: what it uses. */
export function workerd() {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  const pid = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('workerd'));
  return {
    /** In MiB. */
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024,
    /** In seconds of CPU. */
    cpu: () => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    /** How long its main thread, on which all Workers run, was ready and had to wait for a processor: in milliseconds. */
    starved: () => Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6,
  };
}

/** What `partway export` makes of a database. */
export function exported(database, options = []) {
  const { stdout } = spawn(PARTWAY, ['export', database, ...options]);
  return stdout;
}

/** Fails unless `partway verify` finds a dump complete and the same as a database in every cell. */
export function verified(dump, database) {
  spawn(PARTWAY, ['verify', dump, '--against', database]);
}

/** Runs statements by the stock program, in a new file. */
export function created(file, sql) {
  spawn(SQLITE, ['-bail', file], sql);
  return file;
}

export function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What the stock program prints for statements, of any length. */
export function sqlite(database, sql) {
  return spawn(SQLITE, [database], sql).stdout.toString();
}

function run(program, parameters) {
  return spawn(program, parameters).stdout.toString();
}

function spawn(program, parameters, input = '') {
  if (program === PARTWAY && !existsSync(program)) {
    throw new Error(`there is no ${program}: run cargo build -p partway, or set PARTWAY_PROGRAM`);
  }
  const result = spawnSync(program, parameters, { input, maxBuffer: 4 * 2 ** 30 });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${program} ${parameters.join(' ')}: ${result.stderr}`);
  return result;
}
