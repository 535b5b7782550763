// Runs component/rows-check over the rows of a database that nobody changes meanwhile.
//
//     node check.mjs DATABASE ROWS-CHECK [--sample]
//
// With --sample, the database is the one that sample.sql makes.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { compiled } from './component.mjs';
import { Rows } from './rows.mjs';

const [database, component, sample] = process.argv.slice(2);
if (component === undefined || ![undefined, '--sample'].includes(sample)) {
  console.error('usage: node check.mjs DATABASE ROWS-CHECK [--sample]');
  process.exit(2);
}
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rows-check-'));
try {
  const instantiate = await compiled(component, folder);
  const { checks } = instantiate({ 'partway:pipe/rows': new Rows(database).imports });
  const { failures, rows, tables } = sample === undefined ? checks.checkAny() : checks.checkSample();
  for (const { rule, text } of failures) console.log(`${rule}: ${text}`);
  console.log(`${failures.length} failures in ${rows} rows of ${tables} tables`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  fs.rmSync(folder, { recursive: true });
}
