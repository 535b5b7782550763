// Chat rooms, each a Durable Object with a SQLite database of its own, which exports itself to R2.

import { DurableObject } from 'cloudflare:workers';
import { Exporter } from 'partway-cloudflare';

interface Env {
  ROOMS: DurableObjectNamespace<Room>;
  EXPORT_BUCKET: R2Bucket;
  /** Who sends it may export: `wrangler secret put EXPORT_TOKEN`, or a line in .dev.vars. */
  EXPORT_TOKEN: string;
}

export class Room extends DurableObject<Env> {
  #exporter = new Exporter(this.ctx, { bucket: this.env.EXPORT_BUCKET });

  override async fetch(request: Request): Promise<Response> {
    return (await this.#exporter.fetch(request)) ?? this.#chat(request);
  }

  override alarm(info?: AlarmInvocationInfo): Promise<void> {
    return this.#exporter.alarm(info);
  }

  async #chat(request: Request): Promise<Response> {
    const { sql } = this.ctx.storage;
    sql.exec('CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, text TEXT)');
    if (request.method === 'POST') {
      sql.exec('INSERT INTO messages (text) VALUES (?1)', await request.text());
    }
    return Response.json(sql.exec('SELECT * FROM messages ORDER BY id DESC LIMIT 20').toArray());
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    // /ROOM/export/dump and so on: to the room, if the token is right. Anybody may chat.
    const url = new URL(request.url);
    const [, room = '', ...rest] = url.pathname.split('/');
    url.pathname = `/${rest.join('/')}`;
    const isExport = rest[0] === 'export' || rest[0] === 'exports' || rest[0] === 'databases';
    if (isExport && !(await isAllowed(request, env))) {
      return new Response('send Authorization: Bearer with the EXPORT_TOKEN\n', { status: 401 });
    }
    return env.ROOMS.get(env.ROOMS.idFromName(room)).fetch(new Request(url, request));
  },
};

async function isAllowed(request: Request, env: Env): Promise<boolean> {
  const encoder = new TextEncoder();
  const digest = (text: string): Promise<ArrayBuffer> => crypto.subtle.digest('SHA-256', encoder.encode(text));
  const given = await digest(request.headers.get('authorization') ?? '');
  const wanted = await digest(`Bearer ${env.EXPORT_TOKEN}`);
  return Boolean(env.EXPORT_TOKEN) && crypto.subtle.timingSafeEqual(given, wanted);
}
