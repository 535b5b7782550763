// Exports a SQLite database by Partway's component, a slice at a time, each in a fresh instance.
//
//     node export.mjs DATABASE COMPONENT OUTPUT [SLICES]
//
// With SLICES, it stops after so many. The same command goes on where it stopped, and where it was killed.

import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync, backup } from 'node:sqlite';

import { compiled } from './component.mjs';
import { Rows } from './rows.mjs';

const PART_SIZE = 1024 * 1024;
const PARTS_PER_SLICE = 2;

/** What the component imports during one slice. jco leaves the version out of the names. */
function imports(rows, file) {
  return {
    'partway:pipe/rows': rows.imports,
    'partway:pipe/parts': { write: (number, part) => write(file, number, part) },
    'partway:pipe/pacing': { shouldYield: () => false },
  };
}

/** At its own place, so that a part that is written once more changes nothing. */
function write(file, number, part) {
  try {
    let at = 0;
    while (at < part.length) {
      at += fs.writeSync(file, part, at, part.length - at, (number - 1) * PART_SIZE + at);
    }
  } catch (error) {
    throw Object.assign(new Error(error.message), { payload: { tag: 'failed', val: error.message } });
  }
}

/** Replaces a file, whole or not at all. */
function save(file, text) {
  fs.writeFileSync(`${file}.new`, text, { flush: true });
  fs.renameSync(`${file}.new`, file);
}

/** Copies a database page by page: what others write meanwhile, and from now on, does not matter. */
async function copy(database, to) {
  fs.rmSync(to, { force: true });
  const source = new DatabaseSync(database, { readOnly: true });
  await backup(source, to);
  source.close();
}

async function main(database, component, output, slices) {
  const folder = `${output}.partial`;
  const [snapshot, checkpoint, parts] = ['snapshot.db', 'checkpoint', 'parts'].map((name) => path.join(folder, name));
  fs.mkdirSync(folder, { recursive: true });
  const instantiate = await compiled(component, folder);
  const isNew = !fs.existsSync(checkpoint);
  if (isNew) {
    await copy(database, snapshot);
    fs.writeFileSync(parts, '');
  }
  const rows = new Rows(snapshot);
  if (isNew) {
    const options = { format: 'sql', tables: [], partSize: PART_SIZE, settings: [] };
    save(checkpoint, instantiate(imports(rows)).exporter.start(options));
  }
  for (let slice = 1; slice <= slices; slice++) {
    const file = fs.openSync(parts, 'r+');
    const { exporter } = instantiate(imports(rows, file));
    const { tag, val } = exporter.resume(fs.readFileSync(checkpoint, 'utf8'), { parts: PARTS_PER_SLICE });
    // All parts of a slice must be safe before its checkpoint is saved.
    fs.fsyncSync(file);
    fs.closeSync(file);
    if (tag === 'more') {
      save(checkpoint, val.checkpoint);
      console.log(`slice ${slice}: ${val.progress.bytes} bytes so far`);
      continue;
    }
    for (const warning of val.warnings) console.error(`warning: ${warning}`);
    if (val.damaged.length > 0) throw new Error(`damaged: ${val.damaged.join(', ')}; ${parts} is incomplete`);
    rows.close();
    fs.renameSync(parts, output);
    fs.rmSync(folder, { recursive: true });
    console.log(`${output}: ${val.rows} rows of ${val.tables} tables, ${val.bytes} bytes in ${val.parts} parts`);
    return;
  }
  console.log('stopped: the same command goes on from here');
}

const [database, component, output, slices = 'Infinity'] = process.argv.slice(2);
if (output === undefined) {
  console.error('usage: node export.mjs DATABASE COMPONENT OUTPUT [SLICES]');
  process.exit(2);
}
try {
  await main(database, component, output, Number(slices));
} catch (error) {
  // jco throws the contract's errors.
  const { tag, val } = error.payload ?? {};
  console.error(`the export failed: ${tag === undefined ? error.stack : `${tag}: ${val ?? ''}`}`);
  process.exit(1);
}
