// A Worker with one SQLite-backed Durable Object and one D1 database. POST loads a dump, GET reads all.

import { DurableObject } from 'cloudflare:workers';
import { document } from './read.mjs';
import { Splitter } from './split.mjs';

/** No statement of a dump may be longer than this: the whole text that one `exec` takes. */
const MOST_BYTES = 100_000;

const encoder = new TextEncoder();

/** The statements of a dump that streams in, counted. */
class Dump {
  statements = 0;
  longest = 0;
  bytes = 0;
  #body;

  constructor(body) {
    this.#body = body;
  }

  async *read() {
    const splitter = new Splitter();
    const text = this.#body.pipeThrough(new TextDecoderStream('utf-8', { fatal: true, ignoreBOM: true }));
    for await (const chunk of text) {
      yield* this.#counted(splitter.push(chunk));
      if (splitter.pending > 4 * MOST_BYTES) {
        throw new Error(`a statement of over ${splitter.pending} characters does not end`);
      }
    }
    yield* this.#counted(splitter.end());
  }

  *#counted(statements) {
    for (const statement of statements) {
      this.statements += 1;
      const bytes = encoder.encode(statement).length;
      this.bytes += bytes;
      this.longest = Math.max(this.longest, bytes);
      yield statement;
    }
  }

  get summary() {
    return { statements: this.statements, longest: this.longest, bytes: this.bytes };
  }
}

function failed(statement, number, error) {
  const start = statement.slice(0, 100);
  return new Error(`statement ${number}, ${encoder.encode(statement).length} bytes: ${error.message}: ${start}`);
}

export class Target extends DurableObject {
  #exec(statement, number) {
    try {
      this.ctx.storage.sql.exec(statement);
    } catch (error) {
      throw failed(statement, number, error);
    }
  }

  #ways = {
    // All in one transaction, though the text streams in.
    transaction: (dump) =>
      this.ctx.storage.transaction(async () => {
        for await (const statement of dump.read()) this.#exec(statement, dump.statements);
        const [violation] = this.ctx.storage.sql.exec('PRAGMA foreign_key_check').raw();
        if (violation) throw new Error(`foreign key violated at the end: ${JSON.stringify(violation)}`);
      }),
    // All in one synchronous turn, the text in memory.
    turn: async (dump) => {
      const statements = [];
      for await (const statement of dump.read()) statements.push(statement);
      statements.forEach((statement, index) => this.#exec(statement, index + 1));
    },
    // A commit after every statement: only what lasts over commits keeps foreign keys from failing.
    turns: async (dump) => {
      for await (const statement of dump.read()) {
        this.#exec(statement, dump.statements);
        await this.ctx.storage.sync();
      }
    },
  };

  async fetch(request) {
    if (request.method === 'GET') {
      const query = (sql) => this.ctx.storage.sql.exec(sql).raw();
      return new Response(stream(document(query)));
    }
    return loaded(request, this.#ways[new URL(request.url).searchParams.get('way')]);
  }
}

async function loaded(request, load) {
  try {
    const dump = new Dump(request.body);
    await load(dump);
    return Response.json(dump.summary);
  } catch (error) {
    return Response.json({ error: error.message });
  }
}

/** D1: the statements in one batch, which is one transaction. */
async function loadIntoD1(database, dump) {
  const statements = [];
  for await (const statement of dump.read()) statements.push(statement);
  try {
    await database.batch(statements.map((statement) => database.prepare(statement)));
  } catch (error) {
    throw new Error(`the batch: ${error.message}`);
  }
}

/** Rows of a D1 query, a page at a time. */
function d1Query(database) {
  return async function* (sql) {
    if (!sql.startsWith('SELECT')) return yield* await database.prepare(sql).raw();
    const size = 1000;
    for (let from = 0; ; from += size) {
      const rows = await database.prepare(`${sql} LIMIT ${size} OFFSET ${from}`).raw();
      yield* rows;
      if (rows.length < size) return;
    }
  };
}

function stream(pieces) {
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const { value, done } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
}

export default {
  async fetch(request, env) {
    const way = new URL(request.url).searchParams.get('way');
    if (way !== 'd1') return env.TARGET.get(env.TARGET.idFromName('target')).fetch(request);
    if (request.method === 'GET') return new Response(stream(document(d1Query(env.DATABASE))));
    return loaded(request, (dump) => loadIntoD1(env.DATABASE, dump));
  },
};
