// The routes of the service, with the same answers.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { World, exported } from './harness.mjs';

let world;
/** What callbacks brought: Miniflare sends what the Worker fetches here. */
const received = [];
let answers = [];

before(async () => {
  const { Response } = await import('miniflare');
  world = await World.start({
    miniflare: {
      outboundService: async (request) => {
        received.push({ url: request.url, headers: Object.fromEntries(request.headers), body: await request.text() });
        return new Response(null, { status: answers.shift() ?? 200 });
      },
    },
  });
});
after(() => world.stop());

async function small(label, options = {}) {
  const subject = world.subject(label, { prefix: `${label}/`, ...options });
  await subject.sql('CREATE TABLE t (a, b)', "INSERT INTO t VALUES (1, 'x'), (2.0, x'00')");
  return subject;
}

async function refused(response, status, error) {
  assert.equal(response.status, status);
  const body = await response.json();
  assert.equal(body.result, null);
  assert.match(body.error, error);
}

const post = (subject, body, headers = {}) =>
  subject.fetch('export/dump', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

test('a GET responds with the dump where it is small, with where it stays', async () => {
  const subject = await small('inline');
  const expected = exported(await world.copy(subject));
  const response = await subject.fetch('export/dump?name=my%20d%C3%BCmp.sql');
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/sql');
  assert.equal(response.headers.get('content-disposition'), `attachment; filename="my d_mp.sql"; filename*=UTF-8''my%20d%C3%BCmp.sql`);
  assert.equal(response.headers.get('accept-ranges'), null);
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), expected);
  const again = await subject.fetch(response.headers.get('content-location').slice(1));
  assert.equal(again.headers.get('etag'), response.headers.get('etag'));
});

test('a GET of what takes longer responds with where it will be', async () => {
  const subject = await small('longer', { bucket: 'memory', partSize: 4096, inlineParts: 1, budget: { alarmParts: 1 } });
  await subject.sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO t SELECT i, printf('%.*c', 60, 'x') FROM n");
  const response = await subject.fetch('export/dump');
  assert.equal(response.status, 202);
  const { result } = await response.json();
  assert.equal(response.headers.get('location'), result.statusUrl);
  assert.match(result.exportId, /^[0-9a-f]{16}$/);
  await refused(await subject.fetch(result.downloadUrl.slice(1)), 409, /is not done, but (running|failing)/).catch(() => undefined);
  assert.equal((await subject.ended(result.exportId)).status, 'done');
});

test('downloads come whole, in ranges, and not at all where the client has them', async () => {
  const subject = await small('download');
  const { exportId, sha256: hash, bytes } = await subject.ended(await subject.start());
  const get = (headers, method = 'GET') => subject.fetch(`export/download/${exportId}`, { method, headers });
  const whole = Buffer.from(await (await get({})).arrayBuffer());
  assert.equal(whole.length, bytes);
  const range = await get({ range: 'bytes=10-19' });
  assert.equal(range.status, 206);
  assert.equal(range.headers.get('content-range'), `bytes 10-19/${bytes}`);
  assert.deepEqual(Buffer.from(await range.arrayBuffer()), whole.subarray(10, 20));
  assert.deepEqual(Buffer.from(await (await get({ range: 'bytes=-5' })).arrayBuffer()), whole.subarray(-5));
  assert.equal((await get({ range: 'bytes=10-19', 'if-range': '"other"' })).status, 200);
  assert.equal((await get({ 'if-none-match': `W/"${hash}"` })).status, 304);
  await refused(await get({ range: `bytes=${bytes}-` }), 416, /none of those requested/);
  const head = await get({}, 'HEAD');
  assert.equal(head.headers.get('content-length'), String(bytes));
  assert.equal(head.headers.get('etag'), `"${hash}"`);
});

test('what makes no sense is refused, with what to do', async () => {
  const subject = await small('refused');
  await refused(await subject.fetch('export/dump?tabel=t'), 400, /unknown parameter "tabel": it may have/);
  await refused(await subject.fetch('export/dump?name=a&name=b'), 400, /has name twice/);
  await refused(await subject.fetch('export/dump?table=missing'), 400, /table "missing" can't be exported/);
  await refused(await subject.fetch('export/dump?format=odd'), 400, /odd/);
  await refused(await subject.fetch('export/dump?target=odd'), 400, /there is no target "odd"/);
  await refused(await subject.fetch('export/dump?name=a%2Fb'), 400, /can't be used/);
  await refused(await subject.fetch('export/dump?database=other'), 404, /there is no database "other"; available: subject/);
  await refused(await subject.fetch('export/dump', { method: 'HEAD' }).then(async (response) => new Response(JSON.stringify({ result: null, error: String(response.status) }), { status: response.status })), 405, /405/);
  await refused(await subject.fetch('export/dump', { method: 'DELETE' }), 405, /does not allow DELETE/);
  await refused(await post(subject, '[]'), 400, /must be a JSON object/);
  await refused(await post(subject, '{'), 400, /can't be read/);
  await refused(await post(subject, { tables: 't' }), 400, /tables must be a list/);
  await refused(await post(subject, {}, { 'content-type': 'text/plain' }), 415, /application\/json/);
  await refused(await post(subject, { name: 'x'.repeat(70_000) }), 413, /64 KiB/);
  await refused(await post(subject, { callbackUrl: 'http://example.com' }), 400, /https/);
  await refused(await subject.fetch('export/status/0000000000000000'), 404, /there is no export/);
  await refused(await subject.fetch('export/a/b/c'), 404, /nothing at/);
  assert.deepEqual((await subject.json('exports')).result, []);
  assert.equal(await (await subject.fetch('something')).text(), 'the object\u2019s own answer');
});

test('a repeated request with an Idempotency-Key is the same export', async () => {
  const subject = await small('idempotent');
  const send = (body) => post(subject, body, { 'idempotency-key': 'one' });
  const { result: first } = await (await send({})).json();
  const { result: again } = await (await send({})).json();
  assert.equal(again.exportId, first.exportId);
  await refused(await send({ name: 'other.sql' }), 422, /used for another request/);
  assert.equal((await subject.json('exports')).result.length, 1);
});

test('a callback is signed, and sent until it is received', async () => {
  const subject = await small('callback');
  answers = [500, 200];
  const callbackUrl = 'https://receiver.example/hook?secret=1';
  const { exportId } = await subject.ended(await subject.start({ callbackUrl }));
  let status;
  do {
    await new Promise((resolve) => setTimeout(resolve, 50));
    status = await subject.status(exportId);
  } while (status.callback.deliveredAt === null);
  assert.equal(status.callback.attempts, 2);
  assert.equal(status.callback.host, 'https://receiver.example');
  const [first, second] = received.filter(({ url }) => url === callbackUrl);
  assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = second.headers;
  const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
  const hmac = createHmac('sha256', secret).update(`${id}.${timestamp}.${second.body}`).digest('base64');
  assert.equal(signature, `v1,${hmac}`);
  const message = JSON.parse(second.body);
  assert.equal(message.r2Key, `callback/${status.name}`);
  assert.equal(message.sha256, status.sha256);
  assert.equal(message.status, 'done');
});

test('without a bucket, a dump is streamed, and is the state at its start', async () => {
  const subject = await small('streamed', { bucket: false });
  await subject.sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) INSERT INTO t SELECT i, printf('%.*c', 900, 'x') FROM n");
  const expected = exported(await world.copy(subject));
  const response = await subject.fetch('export/dump');
  assert.equal(response.status, 200);
  await subject.sql("UPDATE t SET b = 'changed' WHERE rowid > 100");
  await refused(await subject.fetch('export/dump'), 429, /a dump is being streamed/);
  assert.ok(Buffer.from(await response.arrayBuffer()).equals(expected));
  assert.deepEqual(await subject.leftovers(), []);
  await refused(await subject.fetch('exports'), 404, /keeps no exports/);
  await refused(await post(subject, {}), 404, /keeps no exports/);
});

test('a client that goes away leaves nothing behind', async () => {
  const subject = await small('gone', { bucket: false });
  await subject.sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO t SELECT i, printf('%.*c', 900, 'x') FROM n");
  const response = await subject.fetch('export/dump');
  const reader = response.body.getReader();
  await reader.read();
  assert.notDeepEqual(await subject.leftovers(), []);
  // The instance is gone, and with it the dump; the next one's alarm cleans up.
  await subject.evict();
  await reader.cancel().catch(() => undefined);
  assert.equal(await subject.json('alarm'), null);
  assert.deepEqual(await subject.leftovers(), []);
});

test('a status and its events tell how far the export is', async () => {
  const subject = world.subject('progress', { bucket: 'memory', prefix: 'progress/', partSize: 4096, budget: { alarmParts: 20 } });
  const rows = (count) => `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`;
  await subject.sql(
    'CREATE TABLE scattered (id INTEGER PRIMARY KEY, a)',
    `${rows(5000)} INSERT INTO scattered SELECT random(), printf('%.*c', 50, 'x') FROM n`,
    'CREATE TABLE gap (id INTEGER PRIMARY KEY, a)',
    `${rows(9000)} INSERT INTO gap SELECT i, printf('%.*c', 50, 'x') FROM n`,
    'DELETE FROM gap WHERE id BETWEEN 2000 AND 6000',
    'CREATE TABLE few (k PRIMARY KEY, a) WITHOUT ROWID',
    `${rows(300)} INSERT INTO few SELECT i, i FROM n`,
  );
  await subject.set({ isManual: true });
  const id = await subject.start();
  const events = (await subject.fetch(`export/status/${id}/events`)).text();
  const seen = [];
  for (let status = await subject.status(id); status.finishedAt === null; status = await subject.status(id)) {
    seen.push(status);
    assert.equal(await subject.json('alarm'), null);
  }
  assert.ok(seen.length > 5);
  const real = 5000 + 4999 + 300;
  assert.equal(seen[0].progress, 0);
  assert.equal(seen[0].tables.expected, 3);
  for (const { rows: { expected }, progress } of seen) {
    assert.ok(Math.abs(expected - real) < 0.2 * real, `${expected} rows are expected, and there are ${real}`);
    assert.ok(progress < 1);
  }
  const shares = seen.map(({ progress }) => progress);
  assert.deepEqual(shares, shares.toSorted((one, other) => one - other));
  const last = await subject.status(id);
  assert.deepEqual([last.rows, last.progress, last.status], [{ done: real, expected: real }, 1, 'done']);
  const sent = (await events).split('\n\n').filter((event) => event.startsWith('data: '));
  assert.deepEqual(JSON.parse(sent.at(-1).split('\n')[0].slice('data: '.length)), last);
  assert.equal(sent.at(-1).split('\n')[1], 'id: final');
  assert.equal(JSON.parse(sent[0].slice('data: '.length)).finishedAt, null);
});

test('where nobody knows how many rows there are, a status says so', async () => {
  const subject = world.subject('unknown', { bucket: 'memory', prefix: 'unknown/' });
  const make = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, i FROM n';
  await subject.sql('CREATE TABLE t (k PRIMARY KEY, a) WITHOUT ROWID', make);
  await subject.set({ isManual: true });
  const first = await subject.status(await subject.start());
  assert.deepEqual([first.progress, first.rows.expected], [null, 0]);
  await subject.json(`export/${first.exportId}`, { method: 'DELETE' });
  await subject.sql('ANALYZE');
  const second = await subject.status(await subject.start());
  // ANALYZE has counted a few tables beside it.
  assert.ok(second.rows.expected > 2000 && second.rows.expected < 2010, String(second.rows.expected));
});
