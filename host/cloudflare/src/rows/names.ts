// Names in SQL, and which tables are not part of the user's database.

/** The tables of exports themselves: their state, and the snapshot's saved rows with their triggers. */
const EXPORT_OWN = ['state', 'parts', 'alarms', 'encoded', 'snapshot', 'changed'].map((name) => `tmp_export_${name}`);
const SAVED_ROWS = /^tmp_export_rows_\d+(_[a-z]+)?$/;

/** Those of imports, and the indexes that foreign keys have meanwhile. */
export const IMPORT_OWN = ['state', 'made'].map((name) => `tmp_import_${name}`);
const KEY_INDEXES = /^tmp_import_key_\d+$/;

const OWN = [...EXPORT_OWN, ...IMPORT_OWN];

/** The platform keeps these names for itself; the last is that of its local development. */
const PLATFORM = /^_cf_|^__miniflare_do_name$/i;

/** Whether a table, or what belongs to it, is left out of every dump. */
export function isLeftOut(name: string): boolean {
  return OWN.includes(name) || [SAVED_ROWS, KEY_INDEXES, PLATFORM].some((pattern) => pattern.test(name));
}

/** The same in SQL, of an expression. */
export function isLeftOutSql(expression: string): string {
  const own = OWN.map((name) => `'${name}'`).join(',');
  const patterns = ['tmp_export_rows_[0-9]*', 'tmp_import_key_[0-9]*'].map((glob) => `${expression} GLOB '${glob}'`);
  const isOwn = `${expression} IN (${own}) OR ${patterns.join(' OR ')}`;
  return `(${isOwn} OR ${expression} LIKE '\\_cf\\_%' ESCAPE '\\' OR ${expression} = '__miniflare_do_name')`;
}

/** A name in double quotes. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A table's name, for messages. */
export function displayed(table: string): string {
  return `table ${JSON.stringify(table)}`;
}
