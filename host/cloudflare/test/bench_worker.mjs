// The Worker of the tests, with a plain dump in memory beside it.

import worker, { Subject as Tested } from './worker.mjs';

/** A value as SQL, as such loops write it: without care for what JavaScript has no numbers for. */
function literal(value) {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === 'number') return String(value);
  return `X'${[...new Uint8Array(value)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}'`;
}

export class Subject extends Tested {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/plain') return Response.json(await this.plain());
    if (pathname === '/writes') {
      return Response.json(this.writes(searchParams.get('kind'), Number(searchParams.get('from'))));
    }
    return super.fetch(request);
  }

  /** All of the database as one string, and one `put`. */
  async plain() {
    const { sql } = this.ctx.storage;
    let dump = '';
    const tables = sql.exec("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*' AND name NOT GLOB 'tmp_*'");
    for (const table of tables.toArray()) {
      dump += `${table.sql};\n`;
      for (const row of sql.exec(`SELECT * FROM "${table.name}"`)) {
        dump += `INSERT INTO ${table.name} VALUES (${Object.values(row).map(literal).join(', ')});\n`;
      }
    }
    await this.bucket.put('discarded/plain.sql', dump);
    return dump.length;
  }

  writes(kind, from) {
    const { sql } = this.ctx.storage;
    for (let id = from; id < from + 20_000; id++) {
      if (kind === 'update') sql.exec('UPDATE t SET a = ?1, c = ?2 WHERE id = ?3', id, 'changed', id);
      if (kind === 'delete') sql.exec('DELETE FROM t WHERE id = ?1', id);
      if (kind === 'insert') sql.exec('INSERT INTO t (a, b, c, d) VALUES (?1, 1.5, ?2, ?2)', id, 'inserted');
    }
    return true;
  }
}

export default worker;
