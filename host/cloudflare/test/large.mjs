// node test/large.mjs MB [memory|r2 [COMPRESS]]: a large database, exported over many alarms while others write, compared with what
// `partway export` makes of a copy taken at the start; memory and CPU meanwhile. Miniflare's R2 runs in the same process:
// with `memory`, parts are discarded, and what is measured is the exporter.

import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { World, workerd } from './harness.mjs';

const megabytes = Number(process.argv[2] ?? 1000);
const isDiscarded = process.argv[3] === 'memory';
const compress = process.argv[4] ?? null;
const world = await World.start({ miniflare: { inspectorPort: 0 } });
try {
  const { memory, cpu } = workerd();
  const inspector = await world.inspector();
  const subject = world.subject('large', isDiscarded ? { prefix: 'discarded/', bucket: 'memory' } : { prefix: '' });
  await subject.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT, d BLOB)');
  for (let filled = 0; filled < megabytes; filled += 20) {
    await subject.sql(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t (a, b, c, d) SELECT i * 7919, i / 7.0, printf('%.*c', 700, 'some text ') || i, randomblob(280) FROM n",
    );
  }
  const idle = memory();
  const start = cpu();
  await subject.set({ isManual: true });
  const id = await subject.start({ compress });
  const copy = await world.copy(subject);
  await subject.set({ isManual: false });
  // The alarm that was ignored meanwhile.
  await subject.json('alarm');
  let [peak, heap, buffers, both] = [0, 0, 0, 0];
  let number = 0;
  let status;
  do {
    status = await subject.status(id);
    // As often as the export moves on: what it saves is bounded, whatever the machine's speed.
    if (number < status.parts / 6) {
      await subject.sql(`UPDATE t SET c = 'changed', a = -a WHERE id % 997 = ${(number += 1) % 997}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    peak = Math.max(peak, memory());
    const isolate = await inspector.memory();
    heap = Math.max(heap, isolate.heap);
    buffers = Math.max(buffers, isolate.buffers);
    both = Math.max(both, isolate.heap + isolate.buffers);
  } while (status.finishedAt === null);
  inspector.close();
  const used = cpu() - start;
  const alarms = (await subject.set({})).log.filter((what) => what === 'alarm').length;
  const folder = join(world.folder, 'expected');
  mkdirSync(folder);
  const run = spawnSync(process.env.PARTWAY_PROGRAM ?? '../../target/debug/partway', ['export', copy, '--to', folder, '--json', '--state', join(world.folder, 'state'), ...(compress === null ? [] : ['--compress', compress])]);
  if (run.status !== 0) throw new Error(String(run.stderr));
  const expected = JSON.parse(run.stdout.toString());
  console.log(`a database of ${(statSync(copy).size / 1e6).toFixed(0)} MB, a dump of ${(status.bytes / 1e6).toFixed(0)} MB, ${number} writes of ${Math.round(megabytes * 1000 / 997)} rows meanwhile`);
  console.log(`${status.parts} parts, ${status.slices} slices, ${alarms} alarms, ${status.restarts} restarts; CPU ${used.toFixed(1)} s: ${(used / status.slices).toFixed(2)} s a slice, ${(used / alarms).toFixed(2)} s an alarm`);
  console.log(`memory of the isolate: ${both.toFixed(0)} MiB at most (heap ${heap.toFixed(0)}, buffers ${buffers.toFixed(0)})`);
  console.log(`memory of workerd${isDiscarded ? '' : ' with its R2'}: ${idle.toFixed(0)} MiB before, ${peak.toFixed(0)} MiB at most`);
  console.log(status.sha256 === expected.sha256 ? 'the same sha256 as partway export' : `DIFFERENT: ${status.sha256} ${expected.sha256} ${status.error}`);
  // The platform allows an isolate 128 MiB.
  if (both >= 128) console.log('TOO MUCH MEMORY');
  process.exitCode = status.sha256 === expected.sha256 && both < 128 ? 0 : 1;
} finally {
  await world.stop();
}
