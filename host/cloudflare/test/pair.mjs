// The two hosts side by side: the same request to each, and the same answer from both.

import assert from 'node:assert/strict';

/** Headers that clients go by. */
const HEADERS = [
  'accept-ranges',
  'allow',
  'cache-control',
  'content-disposition',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'etag',
  'location',
  'retry-after',
  'x-accel-buffering',
  'x-content-type-options',
];

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;

/** A host, and the exports of it that were seen, in their order. */
class Host {
  #fetch;
  #ids = [];

  constructor(fetch) {
    this.#fetch = fetch;
  }

  /** The id of the export that was seen as the `number`th. */
  id(number) {
    return this.#ids[number - 1] ?? assert.fail(`export ${number} has not been seen`);
  }

  /** In a path, `ID1` is the first export. */
  send(path, init) {
    return this.#fetch(path.replaceAll(/ID(\d+)/g, (_, number) => this.id(Number(number))), init);
  }

  /** What is the same in both hosts, flat: of a response, or of something else. */
  plain(value, prefix = '') {
    if (Array.isArray(value) ? value.length > 0 : value !== null && typeof value === 'object' && Object.keys(value).length > 0) {
      return Object.assign({}, ...Object.entries(value).map(([name, part]) => this.plain(part, `${prefix}.${name}`)));
    }
    return { [prefix.slice(1)]: this.#text(prefix, value) };
  }

  /** Without what differs between any two exports: times, ids and places. */
  #text(key, value) {
    if (/\.(location|bytesPerSecond|expectedEnd)$/.test(key) && !key.startsWith('.headers')) {
      return value === null ? null : `some ${key.slice(key.lastIndexOf('.') + 1)}`;
    }
    if (typeof value !== 'string') return value;
    if (/\.(exportId|statusUrl|content-location)$/.test(key)) {
      const [id] = /[0-9a-f]{16}$/.exec(value) ?? assert.fail(`${key}: there is no id in ${value}`);
      if (!this.#ids.includes(id)) this.#ids.push(id);
    }
    let text = value.replaceAll(TIME, 'TIME').replaceAll(/dump_\d{8}-\d{6}(-\d+)?/g, 'dump_TIME');
    this.#ids.forEach((id, index) => {
      text = text.replaceAll(id, `ID${index + 1}`);
    });
    return text;
  }

  async answer(path, init) {
    const response = await this.send(path, init);
    const type = response.headers.get('content-type') ?? '';
    // How long other bodies are is no part of the contract.
    const names = HEADERS.filter((name) => name !== 'content-length' || type === 'application/sql');
    const headers = names.flatMap((name) => (response.headers.has(name) ? [[name, response.headers.get(name)]] : []));
    const text = await response.text();
    const body = text !== '' && type === 'application/json' ? JSON.parse(text) : type === 'text/event-stream' ? events(text) : text;
    // The body first: its ids are in the headers, too.
    return this.plain({ body, status: response.status, headers: Object.fromEntries(headers) });
  }
}

/** The events of a stream: the first and the last, since how many come between is a matter of time. */
function events(text) {
  const all = text.split('\n\n').filter((event) => event.startsWith('data: '));
  const parsed = all.map((event) => {
    const [, data, id] = /^data: (.*)(?:\nid: (.*))?$/.exec(event) ?? assert.fail(`no event: ${event}`);
    return { data: JSON.parse(data), id: id ?? null };
  });
  return { first: parsed[0], last: parsed.at(-1) };
}

function isAsSaid(value, said) {
  return said instanceof RegExp ? said.test(value) : value === said;
}

export class Pair {
  #differences;
  #used;

  /** `differences`: the known ones; those that were met are added to `used`. */
  constructor(service, object, differences, used) {
    this.service = new Host((path, init) => service.fetch(path, init));
    this.object = new Host((path, init) => object.fetch(path, init));
    this.#differences = differences;
    this.#used = used;
  }

  /** The same request to both. Their answers are the same but for the differences; the object's, flat. */
  async same(path, init = {}) {
    const [service, object] = await Promise.all([this.service.answer(path, init), this.object.answer(path, init)]);
    return this.compare(`${init.method ?? 'GET'} ${path}`, service, object);
  }

  /** Compares what the hosts gave for `step`. */
  compare(step, service, object) {
    const common = { ...object };
    for (const difference of this.#differences.filter(({ steps }) => steps.test(step))) {
      for (const key of new Set([...Object.keys(service), ...Object.keys(object)])) {
        const isSaid = isAsSaid(service[key], difference.service) && isAsSaid(object[key], difference.object);
        if (!difference.keys.test(key) || !isSaid) continue;
        this.#used.add(difference);
        delete service[key];
        delete common[key];
      }
    }
    assert.deepEqual(common, service, step);
    return object;
  }

  async post(body, headers = {}, path = 'export/dump') {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.same(path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text });
  }

  /** Waits until both have ended an export; that status. */
  async ended(number) {
    for (const host of [this.service, this.object]) {
      for (;;) {
        const { result } = await (await host.send(`export/status/ID${number}`)).json();
        if (result.finishedAt !== null) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    return this.same(`export/status/ID${number}`);
  }
}
