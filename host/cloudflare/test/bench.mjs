// node test/bench.mjs [MB…]: throughput beside a plain dump in memory in the same runtime, and the cost of a write while
// an export runs. Times are CPU times of the workerd process, since clocks stand still in
// a Worker and machines are shared.

import { fill } from './bench_table.mjs';
import { World, workerd } from './harness.mjs';

const TURNS = 5;
const sizes = process.argv.slice(2).map(Number);

/** The seconds of CPU that something takes, and what it gives. */
async function measured(work) {
  const { cpu } = workerd();
  const before = cpu();
  const result = await work();
  return { result, cpu: cpu() - before };
}

for (const megabytes of sizes.length > 0 ? sizes : [24]) {
  const world = await World.start({ script: 'test/bench_worker.mjs' });
  try {
    // Miniflare's R2 runs in the same process, and would be measured with the exporter: here parts are discarded.
    const subject = world.subject('bench', { prefix: 'discarded/', bucket: 'memory', ...JSON.parse(process.env.PARTWAY_BENCH_OPTIONS ?? '{}') });
    const rows = await fill(subject, megabytes);
    await throughput(subject, rows);
    await writes(subject);
  } finally {
    await world.stop();
  }
}

/** An export and a plain dump in memory, in turns: the machine is shared. */
async function throughput(subject, rows) {
  const [whole, plain] = [[], []];
  let last;
  for (let turn = 0; turn <= TURNS; turn++) {
    const made = await measured(async () => {
      const id = await subject.start();
      // Its events end with it: asking for the status again and again would be measured, too.
      await (await subject.fetch(`export/status/${id}/events`)).text();
      return subject.status(id);
    });
    last = made.result;
    if (last.status !== 'done') throw new Error(last.error);
    const loop = last.bytes < 100e6 ? await measured(() => subject.json('plain')) : { cpu: 0 };
    // The first turn compiles what the others run.
    if (turn === 0) continue;
    whole.push(made.cpu);
    plain.push(loop.cpu);
  }
  const sum = (times) => times.reduce((all, one) => all + one, 0);
  const megabytes = last.bytes / 1e6;
  const line = (name, times) =>
    console.log(`${name}: ${times.map((time) => time.toFixed(2)).join(', ')} s of CPU, ${((megabytes * times.length) / sum(times)).toFixed(1)} MB/s`);
  console.log(`${rows} rows, a dump of ${megabytes.toFixed(1)} MB in ${last.parts} parts, ${last.slices} slices`);
  line('export', whole);
  console.log(`  ${(sum(whole) / whole.length / last.slices).toFixed(3)} s a slice; per 120 MiB, an alarm: ${((sum(whole) / whole.length) * (126 / megabytes)).toFixed(2)} s`);
  if (sum(plain) === 0) return;
  line('plain dump in memory', plain);
  console.log(`  it takes ${(sum(plain) / sum(whole)).toFixed(2)} times the CPU of the export`);
}

/** What writes cost alone, and while an export keeps its state. */
async function writes(subject) {
  const kinds = { update: 'UPDATE', insert: 'INSERT', delete: 'DELETE' };
  for (const kind of Object.keys(kinds)) {
    const alone = await measured(() => subject.json(`writes?kind=${kind}&from=1`));
    await subject.set({ isManual: true });
    const id = await subject.start();
    const beside = await measured(() => subject.json(`writes?kind=${kind}&from=50001`));
    const again = await measured(() => subject.json(`writes?kind=${kind === 'delete' ? 'update' : kind}&from=50001`));
    await subject.json(`export/${id}`, { method: 'DELETE' });
    await subject.set({ isManual: false });
    console.log(`20,000 ${kind}s: ${alone.cpu.toFixed(2)} s CPU alone, ${beside.cpu.toFixed(2)} s beside an export (${(beside.cpu / alone.cpu).toFixed(2)} times), ${again.cpu.toFixed(2)} s of the same rows again`);
  }
}
