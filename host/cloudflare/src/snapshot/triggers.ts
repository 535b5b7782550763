// The triggers that save a row of one table before it changes, the first time it does.
//
// What is saved of a key is final: its row as it was at the start, or that there was none. Saving a row that
// has not changed yet is always right, only superfluous.

import { quoted } from '../rows/names.js';
import type { TableInfo } from '../rows/schema.js';
import { collate, isSaved, keySql, savedColumns, savedName, type KeptTable } from './shape.js';
import { newValue, type Unique } from './uniques.js';

/** The statements that make the triggers; null where they can't be expressed. */
export function trackingTriggers(kept: KeptTable, uniques: readonly Unique[]): string[] | null {
  const { table } = kept;
  // Their rows would be taken for the trigger's own.
  if (/^(old|new)$/i.test(table.name)) return null;
  const evicted = uniques.map((unique) => saveEvicted(kept, unique));
  if (evicted.some((statement) => statement === null)) return null;
  const victims = [...saveAtNewRowid(kept), ...(evicted as string[])];
  const name = quoted(table.name);
  return [
    trigger(kept, 'update', `BEFORE UPDATE ON ${name}`, null, [saveOld(kept)]),
    trigger(kept, 'delete', `BEFORE DELETE ON ${name}`, null, [saveOld(kept)]),
    // An update that gives a row other unique values may evict rows that have them.
    trigger(kept, 'replace', `BEFORE UPDATE ON ${name}`, hasMoved(kept, uniques), victims),
    trigger(kept, 'evict', `BEFORE INSERT ON ${name}`, null, victims),
    // Only now is a key known that SQLite chose. The newest triggers fire first: no trigger of the user comes
    // between the row and its mark.
    trigger(kept, 'insert', `AFTER INSERT ON ${name}`, null, [markNew(kept)]),
    trigger(kept, 'move', `AFTER UPDATE ON ${name}`, hasOtherKey(kept), [markNew(kept)]),
  ];
}

/** The statements that make triggers which only note that something has changed. */
export function noticingTriggers(kept: KeptTable): string[] {
  const name = quoted(kept.table.name);
  const note = 'INSERT INTO tmp_export_changed SELECT 1';
  return ['INSERT', 'UPDATE', 'DELETE'].map((event) =>
    trigger(
      kept,
      event.toLowerCase(),
      `AFTER ${event} ON ${name}`,
      'NOT EXISTS (SELECT 1 FROM tmp_export_changed)',
      [note],
    ),
  );
}

function trigger(
  { number }: KeptTable,
  kind: string,
  event: string,
  when: string | null,
  statements: readonly string[],
): string {
  const condition = when === null ? '' : ` WHEN ${when}`;
  const body = statements.map((statement) => `${statement};`).join(' ');
  return `CREATE TRIGGER ${savedName(number)}_${kind} ${event} FOR EACH ROW${condition} BEGIN ${body} END`;
}

/** Rows beyond the largest rowid were not there at the start, and are not read. */
function mayMatter({ table, largest, key }: KeptTable, row: string): string[] {
  const [first] = key ?? [];
  return largest === null || first === undefined
    ? []
    : [`${keySql(table, first, row)} <= ${largest}`];
}

/** Not INSERT OR IGNORE: in a trigger, the conflict clause of the user's statement would take its place. */
function save(kept: KeptTable, row: string, from: string, conditions: readonly string[]): string {
  const { table, number, key } = kept;
  const columns = savedColumns(table, key);
  const cells = columns.map((index) => `${row}.${quoted(table.columns[index]?.name ?? '')}`);
  const rowid = table.withoutRowid ? [] : [keySql(table, rowidOf(kept), row)];
  const targets = [...(table.withoutRowid ? [] : ['rowid']), 'present', ...names(columns)];
  const where = [...conditions, ...mayMatter(kept, row), `NOT ${isSaved(kept, row)}`];
  return `INSERT INTO ${savedName(number)} (${targets.join(', ')}) SELECT ${[...rowid, '1', ...cells].join(', ')}${from} WHERE ${where.join(' AND ')}`;
}

function saveOld(kept: KeptTable): string {
  return save(kept, 'old', '', []);
}

/** The row that has the rowid of the new one. */
function saveAtNewRowid(kept: KeptTable): string[] {
  const { table } = kept;
  if (table.withoutRowid) return [];
  const row = quoted(table.name);
  const same = `${keySql(table, rowidOf(kept), row)} = ${keySql(table, rowidOf(kept), 'new')}`;
  return [save(kept, row, ` FROM ${row}`, [same])];
}

/** The row that has the unique values of the new one. */
function saveEvicted(kept: KeptTable, unique: Unique): string | null {
  const { table } = kept;
  const row = quoted(table.name);
  const conditions: string[] = [];
  for (const { column, collation } of unique.columns) {
    const name = quoted(table.columns[column]?.name ?? '');
    const value = newValue(table, column, `new.${name}`);
    if (value === null) return null;
    conditions.push(`${row}.${name}${collate({ collation })} = ${value}`);
  }
  if (unique.where !== null) conditions.push(`(${unique.where})`);
  return save(kept, row, ` FROM ${row}`, conditions);
}

/** That there was no row with the new one's key, unless something is known of it. */
function markNew(kept: KeptTable): string {
  const { table, number } = kept;
  const key = kept.key ?? [];
  const distinct = [...new Map(key.map((column) => [column.column, column])).values()];
  const targets = table.withoutRowid ? names(distinct.map(({ column }) => column ?? 0)) : ['rowid'];
  const values = distinct.map((column) => keySql(table, column, 'new'));
  const where = [...mayMatter(kept, 'new'), `NOT ${isSaved(kept, 'new')}`];
  return `INSERT INTO ${savedName(number)} (${[...targets, 'present'].join(', ')}) SELECT ${[...values, '0'].join(', ')} WHERE ${where.join(' AND ')}`;
}

/** Whether an update changes the key or a unique value, byte for byte. */
function hasMoved(kept: KeptTable, uniques: readonly Unique[]): string {
  const { table } = kept;
  const columns = new Set(uniques.flatMap((unique) => unique.columns.map(({ column }) => column)));
  // A row may come to meet the condition of an index without a change of the indexed values.
  if (uniques.some(({ where }) => where !== null)) return '1';
  const changes = [...columns].map((index) => changed(table, index));
  const rowid = table.withoutRowid ? [] : [`new.${rowidName(kept)} IS NOT old.${rowidName(kept)}`];
  return [...rowid, ...changes].join(' OR ');
}

/** Whether an update changes the key. */
function hasOtherKey(kept: KeptTable): string {
  const { table, key } = kept;
  if (!table.withoutRowid) return `new.${rowidName(kept)} IS NOT old.${rowidName(kept)}`;
  return (key ?? []).map(({ column }) => changed(table, column ?? 0)).join(' OR ');
}

function changed(table: TableInfo, index: number): string {
  const name = quoted(table.columns[index]?.name ?? '');
  return `new.${name} COLLATE BINARY IS NOT old.${name}`;
}

function rowidOf({ key }: KeptTable): NonNullable<KeptTable['key']>[number] {
  const [column] = key ?? [];
  if (column === undefined) throw new RangeError('a tracked table has a key');
  return column;
}

function rowidName(kept: KeptTable): string {
  const { table } = kept;
  const { column } = rowidOf(kept);
  return quoted((column === null ? table.rowid : table.columns[column]?.name) ?? 'rowid');
}

function names(columns: readonly number[]): string[] {
  return columns.map((index) => `c${index}`);
}
