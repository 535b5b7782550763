// Names in SQL, and which tables are not part of the user's database.

/** The tables of exports themselves: their state, and the snapshot's saved rows with their triggers. */
const OWN = /^tmp_export_(state|parts|alarms|snapshot|changed|rows_\d+(_[a-z]+)?)$/;

/** The platform keeps these names for itself; the last is that of its local development. */
const PLATFORM = /^_cf_|^__miniflare_do_name$/i;

/** Whether a table, or what belongs to it, is left out of every dump. */
export function isLeftOut(name: string): boolean {
  return OWN.test(name) || PLATFORM.test(name);
}

/** The same in SQL, of an expression. */
export function isLeftOutSql(expression: string): string {
  const own = ['state', 'parts', 'alarms', 'snapshot', 'changed'].map((name) => `'tmp_export_${name}'`);
  return `(${expression} IN (${own.join(',')}) OR ${expression} GLOB 'tmp_export_rows_[0-9]*' OR ${expression} LIKE '\\_cf\\_%' ESCAPE '\\' OR ${expression} = '__miniflare_do_name')`;
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
