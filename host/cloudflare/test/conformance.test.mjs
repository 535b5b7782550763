// One suite for both hosts: the same requests to `partway serve` and to the Durable Object, and the same answers but for
// the differences that are listed here, each with its reason. A difference that is no longer one fails, too.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { World } from './harness.mjs';
import { Pair } from './pair.mjs';
import { Service } from './service.mjs';

/** In the answers to which requests, in which fields (`body.result.0.status`): what each host says there, and why. */
const DIFFERENCES = [
  {
    why: 'the object starts over by itself when its snapshot is lost, and says how often',
    steps: /status|exports|events/,
    keys: /\.restarts$/,
    service: undefined,
    object: 0,
  },
  {
    why: 'slices of the object make a tenth of a part, so that others have their turn between them',
    steps: /status|exports|events|callback/,
    keys: /(^|\.)slices$/,
    service: 1,
    object: /^\d\d+$/,
  },
  {
    why: 'the object has cancelled an export when it answers; the service has its slice end first',
    steps: /^DELETE export\/ID\d\?if=unfinished/,
    keys: /^body\.result\.status$/,
    service: 'cancelling',
    object: 'cancelled',
  },
  {
    why: 'the description of the routes and the page are the service\u2019s; what else there is, the Worker says',
    steps: /./,
    keys: /^body\.error$/,
    service: /^there is nothing at "(.*)": GET \/openapi\.json describes the routes, and there is a page at \/$/,
    object: /^there is nothing at ".*"$/,
  },
  {
    why: 'the object makes no objects of tables, which a query could name',
    steps: /export\/download/,
    keys: /^body\.error$/,
    service: 'the query may only have redirect=1 or redirect=0, and table',
    object: 'the query may only have redirect=1 or redirect=0',
  },
  {
    why: 'a folder and a binding have no URLs, each for its reason',
    steps: /redirect=1/,
    keys: /^body\.error$/,
    service: 'the objects are in a folder and have no URLs: download them without redirect=1',
    object: 'an R2 binding has no URLs for its objects: download them without redirect=1',
  },
  {
    why: 'parsers of JSON have words of their own',
    steps: /^POST/,
    keys: /^body\.error$/,
    service: /^the body can't be read: ./,
    object: /^the body can't be read: ./,
  },
  {
    why: 'parsers of URLs have words of their own',
    steps: /callbackUrl=/,
    keys: /^body\.error$/,
    service: /^the callbackUrl can't be used: it is not a URL \(/,
    object: "the callbackUrl can't be used: it is not a URL",
  },
  {
    why: 'the object has no network of its own that callbacks may go to',
    steps: /^POST/,
    keys: /^body\.error$/,
    service: "the callbackUrl can't be used: callbacks are sent over https, and over http only to networks that the service allows",
    object: "the callbackUrl can't be used: callbacks are sent over https",
  },
  {
    why: 'the service\u2019s list of methods names HEAD, which it refuses here',
    steps: /export\/dump$/,
    keys: /^headers\.allow$/,
    service: /^GET,(HEAD,POST,HEAD| POST)$/,
    object: 'GET,POST',
  },
  {
    why: 'each says what it is that keeps nothing',
    steps: /export/,
    keys: /^body\.error$/,
    service: 'this service has no store and keeps no exports: GET /export/dump streams each dump',
    object: 'this object has no bucket and keeps no exports: GET /export/dump streams each dump',
  },
  {
    why: 'each has a receiver of its own here',
    steps: /status/,
    keys: /\.callback\.host$/,
    service: /^http:/,
    object: 'https://receiver.example',
  },
];

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const SMALL = ['CREATE TABLE t (a, b)', "INSERT INTO t VALUES (1, 'x'), (2.0, x'00')", 'CREATE TABLE "other one" (x INTEGER PRIMARY KEY)'];
/** Takes some seconds. */
const LARGE = [
  'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)',
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) INSERT INTO t SELECT i, i, printf('%.*c', 1000, 'x') FROM n",
];

const used = new Set();
const services = [];
let world;
/** What callbacks brought to each of both, and how they are answered. */
const received = { service: [], object: [] };
const receive = (host, request) => {
  received[host].push(request);
  return received[host].length === 1 ? 500 : 200;
};
let receiver;

before(async () => {
  const { Response } = await import('miniflare');
  world = await World.start({
    miniflare: {
      outboundService: async (request) => {
        const headers = Object.fromEntries(request.headers);
        return new Response(null, { status: receive('object', { headers, body: await request.text() }) });
      },
    },
  });
  receiver = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    response.writeHead(receive('service', { headers: request.headers, body: Buffer.concat(chunks).toString() })).end();
  }).listen(0, '127.0.0.1');
});

after(async () => {
  await Promise.all(services.map((service) => service.stop()));
  receiver.close();
  await world.stop();
});

/** Both hosts, over databases that the same statements made. */
async function pair(label, statements, { service: serviceOptions, object: objectOptions } = {}) {
  const service = await Service.start(statements, serviceOptions);
  services.push(service);
  const object = world.subject(label, objectOptions);
  await object.sql(...statements);
  return Object.assign(new Pair(service, object, DIFFERENCES, used), { subject: object });
}

test('exports are started, watched and downloaded alike', async () => {
  const hosts = await pair('started', SMALL);
  await hosts.same('databases');
  await hosts.same('exports');
  assert.equal((await hosts.same('export/dump?name=my%20d%C3%BCmp.sql')).status, 200);
  assert.equal((await hosts.same('export/dump?table=t&target=d1&database=subject&format=sql')).status, 200);
  await hosts.ended(1);
  assert.equal((await hosts.post({ name: 'one.sql' })).status, 202);
  await hosts.ended(3);
  await hosts.post({ name: 'one.sql', tables: ['t'], target: 'd1', database: 'subject', format: 'sql', callbackUrl: null });
  assert.equal((await hosts.ended(4))['body.result.name'], 'one-2.sql');
  assert.equal((await hosts.same('export/dump?database=subject', { method: 'POST' })).status, 202);
  await hosts.ended(5);
  assert.equal(Object.keys(await hosts.same('exports?limit=2')).filter((key) => key.endsWith('.exportId')).length, 2);
  await hosts.same('exports');
  for (const path of ['exports', 'databases', 'export/status/ID1', 'export/status/ID1/events']) {
    await hosts.same(path, { method: 'HEAD' });
  }
  assert.equal((await hosts.same('export/status/ID1/events'))['body.last.id'], 'final');
  assert.equal((await hosts.same('export/status/ID1/events', { headers: { 'last-event-id': 'final' } })).status, 204);
  await hosts.same('export/status/ID1/events', { headers: { 'last-event-id': 'other' } });
});

test('formats and their options are the same', async () => {
  const hosts = await pair('formats', SMALL);
  for (const query of ['format=csv&table=t', 'format=csv&table=t&null=%5CN&header=false&blobs=base64', 'format=ndjson', 'format=json&blobs=hex', 'format=json&table=t&header=true']) {
    assert.equal((await hosts.same(`export/dump?${query}&name=x`)).status, 200, query);
  }
  for (const query of ['format=csv', 'format=csv&table=t&null=1', 'null=x', 'format=json&header=false', 'header=1', 'header=true&header=true', 'format=csv&target=d1', 'blobs=raw', 'blobs=hex', 'format=xml', 'format=xml&null=x']) {
    assert.equal((await hosts.same(`export/dump?${query}`)).status, 400, query);
  }
  assert.equal((await hosts.post({ format: 'csv', tables: ['t'], header: false, null: 'NULL', blobs: null })).status, 202);
  await hosts.ended(6);
  assert.equal((await hosts.post({ format: 'csv', header: 'no' })).status, 400);
});

test('parts of a database are the same', async () => {
  const logs = ['log_1', 'log_2', 'logs'].flatMap((name) => [`CREATE TABLE ${name} (a)`, `INSERT INTO ${name} VALUES (1), (2), (3)`]);
  const hosts = await pair('parts', [...SMALL, ...logs, 'CREATE VIEW v AS SELECT * FROM t', 'CREATE VIRTUAL TABLE words USING fts5(a)', "INSERT INTO words VALUES ('x')"]);
  const parts = ['excludeTable=t', 'excludeTable=log_%3F', 'excludeTable=log_*&excludeTable=words', 'table=log_*', 'table=LOG*&excludeTable=log_1&limit=1', 'content=schema', 'content=data', 'content=data&table=t&target=d1', 'limit=1', 'limit=0', 'limit=%2B2&excludeTable=words', 'format=ndjson&excludeTable=t&limit=1', 'format=json&table=log*&limit=2', 'format=csv&table=log_%3F&excludeTable=log_2'];
  for (const [number, query] of parts.entries()) {
    assert.equal((await hosts.same(`export/dump?${query}&name=part-${number}`)).status, 200, query);
    await hosts.ended(number + 1);
  }
  const refused = ['excludeTable=missing', 'excludeTable=x*', 'table=x*', 'table=v', 'table=words', 'excludeTable=words_data', 'excludeTable=v', 'content=all', 'content=', 'content=data&content=data', 'content=schema&format=csv&table=t', 'limit=-1', 'limit=many', 'limit=', 'limit=1.5', 'limit=1&limit=1', 'limit=9223372036854775808', 'table=t&excludeTable=t&format=csv'];
  const list = [];
  for (const query of refused) list.push([query, (await hosts.same(`export/dump?${query}`))['body.error']]);
  assert.deepEqual(list.filter(([, error]) => error === undefined), []);
  assert.equal((await hosts.post({ excludeTables: ['log_*', 'words'], content: null, limit: 2, tables: [] })).status, 202);
  await hosts.ended(parts.length + 1);
  assert.equal((await hosts.post({ limit: -1 })).status, 400);
  assert.equal((await hosts.post({ content: 'rows' })).status, 400);
  for (const body of [{ excludeTables: 't' }, { excludeTables: [1] }, { limit: '1' }, { limit: 1.5 }, { limit: 2 ** 64 }, { content: 1 }]) {
    assert.equal((await hosts.post(body)).status, 400, JSON.stringify(body));
  }
});

test('Parquet files are the same', async () => {
  const hosts = await pair('parquet', [...SMALL, 'CREATE TABLE s (a INTEGER, b TEXT) STRICT', "INSERT INTO s VALUES (1, 'x'), (NULL, 'ü')"]);
  const files = ['table=t', 'table=t&limit=1', 'table=s&types=stored', 'table=s&uncompressed=true', 'excludeTable=t&excludeTable=o*&types=declared&uncompressed=false'];
  for (const [number, query] of files.entries()) {
    assert.equal((await hosts.same(`export/dump?format=parquet&${query}&name=${number}.parquet`)).status, 200, query);
    await hosts.ended(number + 1);
  }
  for (const query of ['format=parquet', 'format=parquet&table=t&content=schema', 'format=parquet&table=t&types=odd', 'format=parquet&table=t&null=x', 'types=stored', 'uncompressed=true', 'uncompressed=1', 'format=parquet&table=t&uncompressed=true&uncompressed=true']) {
    assert.equal((await hosts.same(`export/dump?${query}`)).status, 400, query);
  }
  assert.equal((await hosts.post({ format: 'parquet', tables: ['t'], types: 'stored', uncompressed: true })).status, 202);
  await hosts.ended(6);
  assert.equal((await hosts.post({ format: 'parquet', tables: ['t'], uncompressed: 'yes' })).status, 400);
});

test('objects are compressed alike', async () => {
  const hosts = await pair('compressed', SMALL);
  for (const query of ['compress=zstd', 'compress=zstd:9', 'compress=gzip:6&format=csv&table=t', 'compress=none']) {
    assert.equal((await hosts.same(`export/dump?${query}&name=packed`)).status, 200, query);
  }
  for (const query of ['compress=lz4', 'compress=lz4:3', 'compress=zstd:', 'compress=zstd:20', 'compress=gzip:x', 'compress=', 'compress=zstd&compress=gzip']) {
    assert.equal((await hosts.same(`export/dump?${query}`)).status, 400, query);
  }
  for (const ended of [5, 6]) {
    assert.equal((await hosts.post({ name: 'packed.sql.zst', compress: 'zstd' })).status, 202);
    await hosts.ended(ended);
  }
  assert.equal((await hosts.post({ compress: 'gzip' })).status, 202);
  await hosts.ended(7);
  assert.equal((await hosts.post({ compress: 1 })).status, 400);
  assert.equal((await hosts.post({ compress: null })).status, 202);
  for (const id of [5, 6, 7]) {
    assert.equal((await hosts.same(`export/download/ID${id}`)).status, 200);
    assert.equal((await hosts.same(`export/download/ID${id}`, { headers: { range: 'bytes=3-9' } })).status, 206);
  }
  await hosts.ended(8);
  await hosts.same('exports');
});

test('ranges and conditions are answered alike', async () => {
  const hosts = await pair('ranges', SMALL);
  await hosts.same('export/dump');
  const { 'headers.etag': tag } = await hosts.same('export/download/ID1');
  const ranges = ['bytes=10-19', 'bytes=0-0', 'bytes=2-', 'bytes=-5', 'bytes=-99999', 'Bytes = 3-4', 'bytes=0-99999999999999999999999', 'bytes=4-3', 'bytes=0-1,3-4', 'bytes=a-b', 'bytes=-', 'bytes=-0', 'bytes=99999-', 'lines=0-1'];
  const statuses = new Set();
  for (const range of ranges) {
    for (const method of ['GET', 'HEAD']) statuses.add((await hosts.same('export/download/ID1', { method, headers: { range } })).status);
  }
  assert.deepEqual([...statuses].sort(), [200, 206, 416]);
  for (const had of [tag, '"other"', `W/${tag}`, 'Sun, 06 Nov 1994 08:49:37 GMT']) {
    await hosts.same('export/download/ID1', { headers: { range: 'bytes=1-1', 'if-range': had } });
  }
  for (const known of [tag, `"other", W/${tag}`, '*', '"other"']) {
    for (const method of ['GET', 'HEAD']) await hosts.same('export/download/ID1', { method, headers: { 'if-none-match': known } });
  }
  for (const query of ['redirect=0', 'redirect=1', 'redirect=2', 'odd=1']) await hosts.same(`export/download/ID1?${query}`);
  await hosts.same('export/download/ID1?redirect=1', { method: 'HEAD' });
});

test('what makes no sense is refused alike', async () => {
  const hosts = await pair('refused', SMALL);
  const queries = ['tabel=t', 'name=a&name=b', 'table=missing', 'format=odd', 'target=odd', 'format=odd&target=d1', 'name=a%2Fb', 'name=', 'name=.a', 'name=a%0Ab', `name=${'a'.repeat(201)}`, 'database=other', 'table=', 'callbackUrl=', 'callbackUrl=odd'];
  for (const query of queries) assert.ok((await hosts.same(`export/dump?${query}`)).status >= 400, query);
  const bodies = ['[]', '{', '1', 'null', { tables: 't' }, { tables: [1] }, { name: 1 }, { tabel: 't' }, { target: 'odd' }, { database: 'other' }, { name: 'x'.repeat(70_000) }, { callbackUrl: 'ftp://example.com' }, { callbackUrl: 'https://user:word@example.com' }];
  for (const body of bodies) assert.ok((await hosts.post(body)).status >= 400, JSON.stringify(body).slice(0, 80));
  await hosts.post({}, { 'content-type': 'text/plain' });
  await hosts.post({}, { 'content-type': '' });
  for (const query of ['name=a', 'database=other', 'database=subject&database=subject', 'table=t']) {
    assert.ok((await hosts.post({}, {}, `export/dump?${query}`)).status >= 400, query);
  }
  assert.equal((await hosts.post({ database: 'other' }, {}, 'export/dump?database=subject')).status, 400);
  for (const path of ['export/status/0000000000000000', 'export/status/odd', 'export/status/%ff', 'export/download/odd', 'export/status/odd/events', 'exports?limit=0', 'exports?limit=1001', 'exports?limit=a', 'exports?odd=1', 'export/a/b/c', 'export/status']) {
    assert.ok((await hosts.same(path)).status >= 400, path);
  }
  assert.equal((await hosts.same('export/odd', { method: 'DELETE' })).status, 404);
  for (const [method, path] of [['HEAD', 'export/dump'], ['DELETE', 'export/dump'], ['PUT', 'exports'], ['POST', 'export/status/odd'], ['POST', 'export/status/odd/events'], ['DELETE', 'export/download/odd'], ['GET', 'export/odd'], ['POST', 'databases']]) {
    assert.equal((await hosts.same(path, { method })).status, 405, path);
  }
  await hosts.same('exports');
});

test('a repeated request is known by its key in both', async () => {
  const hosts = await pair('idempotent', SMALL);
  const send = (key, body = {}) => hosts.post(body, { 'idempotency-key': key });
  await send('one');
  await hosts.ended(1);
  assert.equal((await send('one'))['body.result.exportId'], 'ID1');
  assert.equal((await send(' one '))['body.result.exportId'], 'ID1');
  assert.equal((await send('two'))['body.result.exportId'], 'ID2');
  assert.equal((await send('one', { name: 'other.sql' })).status, 422);
  for (const key of ['é', 'a'.repeat(256)]) assert.equal((await send(key)).status, 400, key);
});

test('exports are cancelled, deleted and forgotten alike', async () => {
  const hosts = await pair('removed', LARGE, { service: { options: ['--exports', '1', '--inline-within', '0s'] }, object: { inlineParts: 0 } });
  await hosts.subject.set({ isManual: true });
  await hosts.post({});
  assert.equal((await hosts.same('export/dump')).status, 202);
  assert.equal((await hosts.same('export/status/ID2'))['body.result.status'], 'waiting');
  assert.equal((await hosts.same('export/download/ID2')).status, 409);
  const watched = hosts.same('export/status/ID2/events');
  await hosts.same('export/ID2?if=odd', { method: 'DELETE' });
  assert.equal((await hosts.same('export/ID2?if=unfinished', { method: 'DELETE' })).status, 202);
  await hosts.ended(2);
  assert.equal((await watched)['body.last.id'], 'final');
  assert.equal((await hosts.same('export/ID2?if=unfinished', { method: 'DELETE' })).status, 409);
  assert.equal((await hosts.same('export/download/ID2')).status, 410);
  assert.equal((await hosts.same('export/ID2', { method: 'DELETE' }))['body.result.forgotten'], true);
  assert.equal((await hosts.same('export/ID2', { method: 'DELETE' })).status, 404);
  await hosts.subject.set({ isManual: false });
  await hosts.subject.json('alarm');
  await hosts.ended(1);
  await hosts.same('exports');
  assert.equal((await hosts.same('export/ID1', { method: 'DELETE' }))['body.result.pruned'], true);
  assert.equal((await hosts.same('export/download/ID1')).status, 410);
  await hosts.same('export/status/ID1');
  assert.equal((await hosts.same('export/ID1', { method: 'DELETE' }))['body.result.forgotten'], true);
});

test('callbacks say the same, and a library verifies both', async () => {
  const hosts = await pair('callback', SMALL, { service: { secret: SECRET, options: ['--callback-allow', '127.0.0.1'] }, object: { callbackSecret: SECRET } });
  const urls = { service: `http://127.0.0.1:${receiver.address().port}/hook?secret=1`, object: 'https://receiver.example/hook?secret=1' };
  const messages = {};
  for (const name of ['service', 'object']) {
    const host = hosts[name];
    const headers = { 'content-type': 'application/json' };
    const response = await host.send('export/dump', { method: 'POST', headers, body: JSON.stringify({ callbackUrl: urls[name] }) });
    host.plain(await response.json());
    for (;;) {
      const { result } = await (await host.send('export/status/ID1')).json();
      if (result.callback.deliveredAt !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const [first, second, ...more] = received[name];
    assert.deepEqual(more, []);
    assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
    const webhook = new Webhook(SECRET);
    for (const { headers: signed, body } of [first, second]) {
      messages[name] = host.plain(webhook.verify(body, signed));
      assert.throws(() => webhook.verify(body.replace('done', 'none'), signed), /signature/);
    }
  }
  hosts.compare('callback', messages.service, messages.object);
  await hosts.same('export/status/ID1');
});

test('without a store, dumps are streamed alike', async () => {
  const hosts = await pair('streamed', SMALL, { service: { isStore: false }, object: { bucket: false } });
  await hosts.same('databases');
  assert.equal((await hosts.same('export/dump?name=a.sql')).status, 200);
  assert.equal((await hosts.same('export/dump?name=a.sql.gz&compress=gzip')).status, 200);
  await hosts.same('export/dump?table=missing');
  await hosts.same('export/dump?callbackUrl=https%3A%2F%2Fexample.com');
  for (const path of ['exports', 'export/status/odd', 'export/download/odd', 'export/status/odd/events']) {
    assert.equal((await hosts.same(path)).status, 404);
  }
  assert.equal((await hosts.post({})).status, 404);
  assert.equal((await hosts.same('export/odd', { method: 'DELETE' })).status, 404);
});

test('every difference is one', () => {
  assert.deepEqual(DIFFERENCES.filter((difference) => !used.has(difference)), []);
});
