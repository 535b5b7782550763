// Runs the tests, file by file. One that stands still is killed, and run once more.
//
// workerd 1.20260426 can stand still for ever where V8 has a single worker thread, as on two processors: that thread, which
// compiles, waits for the main thread to collect garbage, and the main thread runs sweeping tasks that wait for that
// thread. A test that fails is not run again.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** How long a file may take: several times what the slowest does. */
const LIMIT_MS = 400_000;

const folder = new URL('../test/', import.meta.url).pathname;
const files = readdirSync(folder).filter((name) => name.endsWith('.test.mjs')).sort();

/** How it ended: 'ok', 'failed' or 'still'. */
function run(file) {
  return new Promise((resolve) => {
    // In a group of its own, so that its workerd goes with it.
    const child = spawn(process.execPath, ['--test', `${folder}${file}`], { stdio: 'inherit', detached: true });
    let isStill = false;
    const timer = setTimeout(() => {
      isStill = true;
      process.kill(-child.pid, 'SIGKILL');
    }, LIMIT_MS);
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(isStill ? 'still' : code === 0 ? 'ok' : 'failed');
    });
  });
}

const failed = [];
for (const file of files) {
  let end = await run(file);
  if (end === 'still') {
    console.error(`${file} stood still, and is run once more`);
    end = await run(file);
  }
  if (end !== 'ok') failed.push(`${file} ${end === 'failed' ? 'failed' : 'stood still again'}`);
}
if (failed.length > 0) {
  console.error(failed.join('\n'));
  process.exit(1);
}
