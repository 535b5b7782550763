// node test/bench.mjs [MB…]: throughput beside a plain dump in memory in the same runtime, the cost of a write while
// an export runs, memory and CPU of workerd. Times are CPU times of the workerd process, since clocks stand still in
// a Worker and machines are shared.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { World } from './harness.mjs';

const sizes = process.argv.slice(2).map(Number);

/** The workerd that this process has started. */
function workerd() {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  const pid = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('workerd'));
  if (pid === undefined) throw new Error('no workerd runs');
  return pid;
}

const TICKS = Number(execFileSync('getconf', ['CLK_TCK']).toString());

/** Its CPU time in seconds, and the most memory it has had since the last look, in MiB. */
function used(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, peak] = /VmHWM:\s+(\d+)/.exec(status);
  const [, now] = /VmRSS:\s+(\d+)/.exec(status);
  return { seconds: (Number(fields[11]) + Number(fields[12])) / TICKS, peak: Number(peak) / 1024, now: Number(now) / 1024 };
}

async function measured(pid, work) {
  const before = used(pid);
  const start = performance.now();
  const result = await work();
  const after = used(pid);
  return { result, cpu: after.seconds - before.seconds, wall: (performance.now() - start) / 1000, peak: after.peak };
}

async function fill(subject, megabytes) {
  await subject.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT, d TEXT, e BLOB, f, g INTEGER, h TEXT, i)',
  );
  const rows = Math.round(megabytes * 7700);
  for (let from = 1; from <= rows; from += 50_000) {
    await subject.sql(
      `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${Math.min(from + 49_999, rows)})
        INSERT INTO t SELECT i, i * 7919, i / 7.0, 'name ' || i, 'some longer text with it''s quotes and words number ' || i || ' and so on', x'0001020304050607', NULL, i % 100, 'c' || (i % 50), CASE i % 3 WHEN 0 THEN i WHEN 1 THEN 'x' || i ELSE 1.5 END FROM n`,
    );
  }
  return rows;
}

for (const megabytes of sizes.length > 0 ? sizes : [24]) {
  const world = await World.start({ script: 'test/bench_worker.mjs' });
  try {
    const pid = workerd();
    // Miniflare's R2 runs in the same process, and would be measured with the exporter: here parts are discarded.
    const subject = world.subject('bench', { prefix: 'discarded/', bucket: 'memory', ...JSON.parse(process.env.PARTWAY_BENCH_OPTIONS ?? '{}') });
    const rows = await fill(subject, megabytes);
    const idle = used(pid).now;
    const whole = await measured(pid, async () => {
      const id = await subject.start();
      // Its events end with it: asking for the status again and again would be measured, too.
      await (await subject.fetch(`export/status/${id}/events`)).text();
      return subject.status(id);
    });
    const { bytes, parts, slices, status, error } = whole.result;
    if (status !== 'done') throw new Error(error);
    const megabytesOfDump = bytes / 1e6;
    const line = (name, { cpu, wall, peak }) =>
      console.log(`${name}: ${cpu.toFixed(2)} s CPU, ${wall.toFixed(2)} s, ${(megabytesOfDump / cpu).toFixed(1)} MB/s of CPU, peak ${peak.toFixed(0)} MiB (idle ${idle.toFixed(0)})`);
    console.log(`${rows} rows, a dump of ${megabytesOfDump.toFixed(1)} MB in ${parts} parts, ${slices} slices`);
    line('export', whole);
    console.log(`  CPU per slice: ${(whole.cpu / slices).toFixed(3)} s; per 120 MiB, an alarm: ${((whole.cpu * 126) / megabytesOfDump).toFixed(2)} s`);
    if (megabytesOfDump < 100) {
      const plain = await measured(pid, () => subject.json('plain'));
      line('plain dump in memory', plain);
      console.log(`  the export needs ${(plain.cpu / whole.cpu).toFixed(2)} times less CPU`);
    }
    await writes(subject, pid);
    await latencies(subject);
  } finally {
    await world.stop();
  }
}

/** What writes cost alone, and while an export keeps its state. */
async function writes(subject, pid) {
  const kinds = { update: 'UPDATE', insert: 'INSERT', delete: 'DELETE' };
  for (const kind of Object.keys(kinds)) {
    const alone = await measured(pid, () => subject.json(`writes?kind=${kind}&from=1`));
    await subject.set({ isManual: true });
    const id = await subject.start();
    const beside = await measured(pid, () => subject.json(`writes?kind=${kind}&from=50001`));
    const again = await measured(pid, () => subject.json(`writes?kind=${kind === 'delete' ? 'update' : kind}&from=50001`));
    await subject.json(`export/${id}`, { method: 'DELETE' });
    await subject.set({ isManual: false });
    console.log(`20,000 ${kind}s: ${alone.cpu.toFixed(2)} s CPU alone, ${beside.cpu.toFixed(2)} s beside an export (${(beside.cpu / alone.cpu).toFixed(2)} times), ${again.cpu.toFixed(2)} s of the same rows again`);
  }
}

/** How long a request waits that writes a row, alone and while an export runs. */
async function latencies(subject) {
  const measure = async (isGoing) => {
    const times = [];
    for (let id = 1; await isGoing(times.length); id++) {
      const start = performance.now();
      await subject.sql(`UPDATE t SET d = 'written' WHERE id = ${(id * 97) % 90_000}`);
      times.push(performance.now() - start);
    }
    times.sort((one, other) => one - other);
    const at = (part) => times[Math.floor(times.length * part)]?.toFixed(1);
    return `${times.length} writes, mean ${(times.reduce((sum, one) => sum + one, 0) / times.length).toFixed(1)} ms, median ${at(0.5)}, 9 of 10 within ${at(0.9)}, longest ${at(0.9999)}`;
  };
  console.log(`requests alone: ${await measure(async (count) => count < 300)}`);
  const id = await subject.start();
  const isGoing = async () => (await subject.status(id)).finishedAt === null;
  console.log(`requests beside an export: ${await measure(isGoing)}`);
}
