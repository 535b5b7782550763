// node test/latency.mjs [MB]: how long an ordinary writer waits, alone and beside an export, in turns: 50 requests a
// second, each of which writes one row, sent when they are due whether or not those before are answered.
//
// By a clock that stands still while workerd is ready to run and has no processor: other programs have them then, and
// what they do is not to be measured.

import { Agent, request } from 'node:http';
import { fill } from './bench_table.mjs';
import { World, workerd } from './harness.mjs';

const EVERY_MS = 20;
const ALONE_WRITES = 400;
const TURNS = Number(process.env.PARTWAY_TURNS ?? 3);

const world = await World.start({ script: 'test/bench_worker.mjs' });
try {
  const options = { prefix: 'discarded/', bucket: 'memory', ...JSON.parse(process.env.PARTWAY_BENCH_OPTIONS ?? '{}') };
  const subject = world.subject('latency', options);
  const rows = await fill(subject, Number(process.argv[2] ?? 48));
  const { cpu, starved } = workerd();
  const clock = () => performance.now() - starved();
  const context = { subject, rows, cpu, clock, url: await world.url() };
  // What comes first compiles what comes later.
  await subject.ended(await subject.start());
  await writes(context, (sent) => sent < 100);
  const [alone, beside] = [[], []];
  for (let turn = 0; turn < TURNS; turn++) {
    alone.push(...(await writes(context, (sent) => sent < ALONE_WRITES)));
    beside.push(...(await besideExport(context)));
  }
  const [one, other] = [summary(alone), summary(beside)];
  console.log(`alone: ${text(one)}`);
  console.log(`beside an export: ${text(other)}`);
  const ratios = Object.keys(one).map((name) => `${name} ${(other[name] / one[name]).toFixed(2)}`);
  console.log(`times as long as alone: ${ratios.join(', ')}`);
} finally {
  await world.stop();
}

async function besideExport(context) {
  const { subject, cpu, clock } = context;
  const [start, before] = [clock(), cpu()];
  const id = await subject.start();
  let isRunning = true;
  // Its events end with it: asking for the status again and again would be one more writer.
  const events = subject.fetch(`export/status/${id}/events`).then((response) => response.text());
  const ended = events.then(() => {
    isRunning = false;
    return { seconds: (clock() - start) / 1000, used: cpu() - before };
  });
  const times = await writes(context, () => isRunning);
  const { seconds, used } = await ended;
  const { bytes, slices, status, error } = await subject.status(id);
  if (status !== 'done') throw new Error(error);
  console.log(`  ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s, ${used.toFixed(1)} s of CPU with the writes, ${slices} slices, ${times.length} writes`);
  return times;
}

/** Writes as long as `isGoing`; the milliseconds that each took. */
async function writes(context, isGoing) {
  const { clock, rows } = context;
  // Connections stay open. workerd closes those that are idle for 5 s: each has its turn.
  const agent = new Agent({ keepAlive: true, scheduling: 'fifo' });
  const first = clock();
  const writing = [];
  while (isGoing(writing.length)) {
    const due = first + writing.length * EVERY_MS;
    for (let now = clock(); now < due; now = clock()) await new Promise((resolve) => setTimeout(resolve, due - now));
    const sent = clock();
    const id = 1 + Math.floor(Math.random() * rows);
    writing.push(post(context, agent, [`UPDATE t SET d = 'written' WHERE id = ${id}`]).then(() => clock() - sent));
  }
  return Promise.all(writing).finally(() => agent.destroy());
}

/** With less work of our own than `fetch` makes. */
function post({ subject, url }, agent, statements) {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', agent };
    const sending = request(new URL(`${encodeURIComponent(subject.name)}/sql`, url), options, (response) => {
      response.resume().on('end', resolve).on('error', reject);
    });
    sending.on('error', reject).end(JSON.stringify(statements));
  });
}

function summary(times) {
  times.sort((one, other) => one - other);
  const at = (part) => times[Math.floor(times.length * part)];
  return { mean: times.reduce((sum, one) => sum + one, 0) / times.length, median: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function text(summary) {
  return Object.entries(summary).map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`).join(', ');
}
