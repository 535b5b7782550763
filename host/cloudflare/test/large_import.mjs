// node test/large_import.mjs MB: a large database of the stock program, exported by `partway`, imported into an object
// that is evicted 20 times at random meanwhile, and compared in every cell; the memory and CPU of workerd meanwhile.

import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { World, created, sqlite, workerd } from './harness.mjs';

const megabytes = Number(process.argv[2] ?? 1000);
const EVICTIONS = 20;

const world = await World.start();
try {
  const file = created(join(world.folder, 'original.sqlite'), databaseOf(megabytes));
  const exported = dump(file, 'd1');
  await world.putFile('large.sql', exported.location);
  const { memory, cpu } = workerd();
  const idle = memory();
  const subject = world.subject('large', { prefix: '' });
  const [begun, used] = [Date.now(), cpu()];
  const id = await subject.importFrom('large.sql');
  let [peak, evictions] = [0, 0];
  let next = Math.random() * 2;
  let status;
  do {
    await new Promise((resolve) => setTimeout(resolve, 50));
    peak = Math.max(peak, memory());
    status = await subject.importStatus(id);
    const part = (status.bytes.done / status.bytes.expected) * EVICTIONS;
    if (part > next && evictions < EVICTIONS) {
      await subject.evict();
      evictions += 1;
      next = evictions + Math.random();
    }
  } while (!['done', 'failed'].includes(status.status));
  const seconds = (Date.now() - begun) / 1000;
  const spent = cpu() - used;
  const { log } = await subject.set({});
  const alarms = log.filter((what) => what === 'alarm').length;
  const gets = log.filter((what) => what === 'r2 get').length;
  const size = statSync(file).size / 1e6;
  console.log(`a database of ${size.toFixed(0)} MB, a dump of ${(exported.bytes / 1e6).toFixed(0)} MB, ${status.rows.done} rows`);
  console.log(`${status.status}${status.error === null ? '' : `: ${status.error}`}, after ${evictions} evictions`);
  console.log(`${seconds.toFixed(0)} s: ${(exported.bytes / 1e6 / seconds).toFixed(1)} MB/s of dump; CPU ${spent.toFixed(0)} s: ${((spent / exported.bytes) * 1e9).toFixed(0)} s/GB`);
  console.log(`${status.slices} slices, ${alarms} alarms, ${gets} reads of R2`);
  console.log(`memory of workerd with its R2: ${idle.toFixed(0)} MiB before, ${peak.toFixed(0)} MiB at most`);
  const copy = await world.copy(subject);
  const isSame = status.status === 'done' && evictions === EVICTIONS && same(file, copy);
  console.log(isSame ? 'equal in every cell' : 'DIFFERENT');
  process.exitCode = isSame ? 0 : 1;
} finally {
  await world.stop();
}

/** Several tables with indexes, text, blobs and reals, rows that refer to earlier ones, and rows without a key. */
function databaseOf(megabytes) {
  const rows = (count, from) => `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${Math.ceil(count * megabytes)}) ${from} FROM n`;
  return `PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;
    CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, email TEXT UNIQUE, score REAL, manager INTEGER REFERENCES people(id), CHECK (length(name) > 0));
    CREATE TABLE files (owner INTEGER NOT NULL REFERENCES people(id), path TEXT, size INTEGER, content BLOB, PRIMARY KEY (owner, path)) WITHOUT ROWID;
    CREATE TABLE log (at REAL, what TEXT, detail);
    CREATE TABLE tree (id INTEGER PRIMARY KEY, above INTEGER REFERENCES tree(id) DEFERRABLE INITIALLY DEFERRED, label);
    ${rows(1200, "INSERT INTO people (name, email, score, manager) SELECT 'Person ' || i, 'person' || i || '@example.org', i / 7.0, nullif(i / 2, 0)")};
    ${rows(300, "INSERT INTO files SELECT i, 'path/' || i || '.bin', 400 + i % 500, randomblob(400 + i % 500)")};
    ${rows(1500, "INSERT INTO log SELECT i * 0.001, printf('%.*c', 300 + i % 100, 'an event of the log '), CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN i WHEN 2 THEN -i / 3.0 ELSE 'détail ' || i END")};
    ${rows(300, "INSERT INTO tree SELECT i, nullif(i / 3, 0), 'node ' || i")};
    CREATE INDEX by_score ON people (score, name); CREATE INDEX by_manager ON people (manager); CREATE INDEX by_time ON log (at);
    CREATE VIEW leaves AS SELECT * FROM tree WHERE id NOT IN (SELECT above FROM tree);
    CREATE TRIGGER counted AFTER INSERT ON people BEGIN UPDATE people SET score = 0 WHERE id = NEW.manager; END;
    COMMIT;`;
}

/** Exports a database by the program; the summary. */
function dump(database, target) {
  const folder = join(world.folder, `${target}-${statSync(database).ino}`);
  mkdirSync(folder);
  const program = process.env.PARTWAY_PROGRAM ?? '../../target/debug/partway';
  const run = spawnSync(program, ['export', database, '--target', target, '--to', folder, '--json', '--state', join(world.folder, 'state')]);
  if (run.status !== 0) throw new Error(String(run.stderr));
  const summary = JSON.parse(run.stdout.toString());
  return { ...summary, location: summary.location.replace('file://', '') };
}

/** By the dumps of the program, and by those of the stock one. */
function same(one, other) {
  const hash = (file) => {
    const { stdout } = spawnSync('sh', ['-c', 'sqlite3 "$1" .dump | sha256sum', 'sh', file]);
    return stdout.toString();
  };
  const isWhole = sqlite(other, 'PRAGMA integrity_check; PRAGMA foreign_key_check;').trim() === 'ok';
  return isWhole && dump(one, 'sqlite').sha256 === dump(other, 'sqlite').sha256 && hash(one) === hash(other);
}
