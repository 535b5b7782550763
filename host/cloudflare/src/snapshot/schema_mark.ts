// What the schema is, in full: the user's objects and the snapshot's own tables and triggers. If the text is the
// same, no table was changed, dropped or made again, and every trigger is still there.

import { IMPORT_OWN, literal } from '../rows/names.js';

/** What comes and goes with exports and the platform, and says nothing about the user's data. */
const IGNORED = `name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND tbl_name NOT LIKE '\\_cf\\_%' ESCAPE '\\'
  AND tbl_name NOT IN ('tmp_export_state', 'tmp_export_parts', 'tmp_export_alarms', 'tmp_export_snapshot')
  AND tbl_name NOT IN (${IMPORT_OWN.map(literal).join(', ')})`;

/** A value of the database may have 2 MB, and a letter up to three bytes. */
const PIECE = 500_000;

/** The schema as text. The root page tells a table from another one that was made in its place. */
function schemaText(sql: SqlStorage): string {
  const query = `SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE ${IGNORED} ORDER BY rowid`;
  return JSON.stringify([...sql.exec(query).raw()]);
}

export function saveSchemaMark(sql: SqlStorage): void {
  const text = schemaText(sql);
  for (let from = 0; from < text.length; from += PIECE) {
    const piece = text.slice(from, from + PIECE);
    sql.exec('INSERT INTO tmp_export_snapshot VALUES (?1, ?2)', `schema ${from / PIECE}`, piece);
  }
}

export function isSchemaAsMarked(sql: SqlStorage): boolean {
  const text = schemaText(sql);
  const pieces = sql
    .exec("SELECT value FROM tmp_export_snapshot WHERE key GLOB 'schema *' ORDER BY length(key), key")
    .raw();
  return [...pieces].map(([piece]) => String(piece)).join('') === text;
}
