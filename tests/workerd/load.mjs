// node load.mjs DUMP.sql [transaction|turn|turns|d1]
//
// Loads a dump into an empty SQLite-backed Durable Object (or D1) of the real workerd, one statement at a
// time, and prints all that is in there as one JSON document (read.mjs says what is in it), with
// "statements", "longest" (bytes) and "bytes" of the dump.

import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Readable } from 'node:stream';
import { Miniflare } from 'miniflare';

const WAYS = ['transaction', 'turn', 'turns', 'd1'];

const [dump, way = 'transaction', ...rest] = process.argv.slice(2);
if (dump === undefined || !WAYS.includes(way) || rest.length > 0) {
  console.error(`usage: node load.mjs DUMP.sql [${WAYS.join('|')}]`);
  process.exit(2);
}

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
let said = '';
const miniflare = new Miniflare({
  modules: ['worker.mjs', 'read.mjs', 'split.mjs'].map((file) => ({ type: 'ESModule', path: here(file) })),
  modulesRoot: here('.'),
  compatibilityDate: '2026-04-01',
  durableObjects: { TARGET: { className: 'Target', useSQLite: true } },
  d1Databases: ['DATABASE'],
  cf: false,
  handleRuntimeStdio(output, errors) {
    output.resume();
    errors.on('data', (data) => (said += data));
  },
});

async function ask(options) {
  const response = await miniflare.dispatchFetch(`http://localhost/?way=${way}`, options);
  // What workerd says has a stack behind it.
  if (!response.ok) throw new Error((await response.text()).split('\n', 1)[0]);
  return response;
}

async function write(text) {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

try {
  await access(dump);
  const body = Readable.toWeb(createReadStream(dump));
  const loaded = await (await ask({ method: 'POST', body, duplex: 'half' })).json();
  if (loaded.error !== undefined) throw new Error(loaded.error);
  await write(`{"statements":${loaded.statements},"longest":${loaded.longest},"bytes":${loaded.bytes},\n`);
  const decoder = new TextDecoder();
  let isFirst = true;
  for await (const chunk of (await ask({})).body) {
    const text = decoder.decode(chunk, { stream: true });
    await write(isFirst ? text.replace('{', '') : text);
    isFirst = false;
  }
} catch (error) {
  console.error(`${dump}: ${error.message}`);
  if (said !== '') console.error(`workerd said: ${said.slice(0, 2000)}`);
  process.exitCode = 1;
} finally {
  await miniflare.dispose();
}
