// A Worker with a Durable Object that holds an exporter, and what tests need to provoke it.

import { DurableObject } from 'cloudflare:workers';
import { Exporter, ImportError } from '../dist/index.js';
import { MemoryBucket } from './memory_bucket.mjs';

const memory = new MemoryBucket();

/** By the objects' names: which calls of R2 fail, and what alarms did. It outlives the objects. */
const worlds = new Map();

function worldOf(name) {
  if (!worlds.has(name)) worlds.set(name, { calls: 0, failing: {}, log: [], isManual: false });
  return worlds.get(name);
}

/** The bucket, whose calls are counted; those whose numbers are in `failing` fail before or after their effect, hang, or are
 * held before or after it until that is taken back. */
function faulty(target, world) {
  return new Proxy(target, {
    get(object, name) {
      const value = Reflect.get(object, name, object);
      if (typeof value !== 'function') return value;
      return (...parameters) => {
        const number = (world.calls += 1);
        world.log.push(`r2 ${name}`);
        const when = world.failing[number] ?? world.failing[name];
        const fail = () => {
          world.log.push(`r2 ${name} failed`);
          throw new Error(`${name}: We encountered an internal error. Please try again. (10001)`);
        };
        const call = async () => {
          if (when === 'before') fail();
          if (when === 'hang') await new Promise(() => undefined);
          const held = async (mode) => {
            while (world.failing[name] === mode) await scheduler.wait(1);
          };
          await held('held before');
          const result = await value.apply(object, parameters);
          await held('held after');
          if (when === 'after') fail();
          return name === 'createMultipartUpload' ? faulty(result, world) : result;
        };
        return name === 'resumeMultipartUpload' ? faulty(value.apply(object, parameters), world) : call();
      };
    },
  });
}

/** The options of the object's exporter are in its name. */
export class Subject extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    // An instance that an alarm wakes is not told its name.
    const name = ctx.id.name ?? ctx.storage.kv.get('name');
    if (ctx.id.name !== undefined) ctx.storage.kv.put('name', name);
    this.world = worldOf(name);
    const { bucket = true, ...options } = JSON.parse(name.slice(name.indexOf('{')));
    this.bucket = bucket === 'memory' ? memory : env.BUCKET;
    this.exporter = new Exporter(ctx, {
      prefix: '',
      callbackSecret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      database: 'subject',
      firstRetryMs: 1,
      ...options,
      ...(bucket ? { bucket: faulty(this.bucket, this.world) } : {}),
    });
    this.world.instances = (this.world.instances ?? 0) + 1;
  }

  async fetch(request) {
    const answer = await this.exporter.fetch(request);
    if (answer !== null) return answer;
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case '/id':
        return Response.json(this.ctx.id.toString());
      case '/sql':
        return Response.json(this.run(await request.json()));
      case '/world':
        Object.assign(this.world, await request.json());
        return Response.json(this.world);
      case '/import':
        return Response.json(await this.importFrom(await request.json()));
      case '/import-status':
        return Response.json(this.exporter.importStatus(searchParams.get('id') ?? undefined));
      case '/import-cancel':
        return Response.json(await this.exporter.cancelImport(searchParams.get('id')));
      case '/look':
        return Response.json(await this.look(await request.json()));
      case '/alarm':
        try {
          await this.fire({ retryCount: 0, isRetry: false });
        } catch (error) {
          return Response.json(String(error));
        }
        return Response.json(null);
      case '/evict':
        this.ctx.abort('evicted by the test');
        return new Response();
      case '/user-alarm':
        if (searchParams.get('delete')) await this.exporter.deleteAlarm();
        else if (searchParams.get('direct')) await this.ctx.storage.setAlarm(Number(searchParams.get('at')));
        else await this.exporter.setAlarm(Number(searchParams.get('at')));
        return Response.json({ user: await this.exporter.getAlarm(), object: await this.ctx.storage.getAlarm() });
      case '/alarms':
        return Response.json({ user: await this.exporter.getAlarm(), object: await this.ctx.storage.getAlarm() });
      default:
        return new Response('the object\u2019s own answer', { status: 200 });
    }
  }

  /** Statements, in one turn; of each its rows, or why it failed. Values that JSON lacks are given as SQL. */
  run(statements) {
    return statements.map((statement) => {
      try {
        return [...this.ctx.storage.sql.exec(statement).raw()].slice(0, 1000);
      } catch (error) {
        return { error: error.message };
      }
    });
  }

  /** Streams a Parquet file, and while it looks at the rows, runs statements or, without any, cancels it: how it ends. */
  async look(statements) {
    const { body } = await this.exporter.fetch(new Request('http://object/export/dump?format=parquet&table=t'));
    const reader = body.getReader();
    const first = reader.read();
    await scheduler.wait(5);
    if (statements.length > 0) this.run(statements);
    else await reader.cancel();
    try {
      const { done, value } = await first;
      return { done, bytes: value?.length ?? 0 };
    } catch (error) {
      return { error: error.message };
    }
  }

  async importFrom({ key, options }) {
    try {
      return { id: await this.exporter.importFrom(key, options) };
    } catch (error) {
      return { reason: error instanceof ImportError ? error.reason : null, error: error.message };
    }
  }

  async alarm(info) {
    if (this.world.isManual) return;
    await this.fire(info);
  }

  async fire(info) {
    this.world.log.push('alarm');
    await this.exporter.alarm(info, async (given) => {
      this.world.log.push(`user ${given.retryCount}`);
      if (this.world.userFails > 0) {
        this.world.userFails -= 1;
        throw new Error('the user\u2019s handler failed');
      }
      if (this.world.userSetsNext) {
        const at = this.world.userSetsNext;
        this.world.userSetsNext = null;
        await this.ctx.storage.setAlarm(at);
      }
    });
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const name = decodeURIComponent(url.pathname.split('/')[1]);
    if (name === 'bucket') return bucket(request, url.searchParams.get('memory') ? memory : env.BUCKET, url);
    url.pathname = url.pathname.slice(url.pathname.indexOf('/', 1));
    return env.SUBJECT.get(env.SUBJECT.idFromName(name)).fetch(new Request(url, request));
  },
};

/** A multipart upload: begun, then its parts, then completed with their receipts. */
async function upload(request, store, key, parameters) {
  const id = parameters.get('upload');
  if (id === '') return Response.json((await store.createMultipartUpload(key)).uploadId);
  const begun = store.resumeMultipartUpload(key, id);
  const part = parameters.get('part');
  if (part !== null) return Response.json(await begun.uploadPart(Number(part), await request.arrayBuffer()));
  return Response.json((await begun.complete(await request.json())).size);
}

async function bucket(request, store, url) {
  const key = url.searchParams.get('key');
  if (url.searchParams.has('upload')) return upload(request, store, key, url.searchParams);
  if (request.method === 'DELETE') return Response.json((await store.delete(key)) ?? null);
  if (request.method === 'PUT') return Response.json(await store.put(key, await request.arrayBuffer()));
  if (key === null) {
    const { objects } = await store.list();
    return Response.json(objects.map((object) => object.key));
  }
  const object = await store.get(key);
  return object === null ? new Response(null, { status: 404 }) : new Response(object.body);
}
