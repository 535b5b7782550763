// The triggers that save a row of one table before it changes, the first time it does.
//
// What is saved of a key is final: its row as it was at the start, or that there was none. Saving a row that
// has not changed yet is always right, only superfluous.

import { quoted } from '../rows/names.js';
import type { TableInfo } from '../rows/schema.js';
import { collate, isSaved, keySql, savedColumns, savedName, type KeptTable } from './shape.js';
import { newValue, type Unique } from './uniques.js';

/** The statements that make the triggers; null where they can't be expressed. Each costs every write it fires for. */
export function trackingTriggers(kept: KeptTable, uniques: readonly Unique[]): string[] | null {
  const { table } = kept;
  // Their rows would be taken for the trigger's own.
  if (/^(old|new)$/i.test(table.name)) return null;
  const evicted: string[] = [];
  for (const unique of uniques) {
    const statement = saveEvicted(kept, unique);
    if (statement === null) return null;
    evicted.push(statement);
  }
  const name = quoted(table.name);
  const atRowid = table.withoutRowid ? [] : [saveAtNewRowid(kept)];
  return [
    trigger(kept, 'update', `BEFORE UPDATE ON ${name}`, null, [
      save(kept, 'old', '', []),
      ...(table.withoutRowid ? [] : otherRowid(kept)),
    ]),
    trigger(kept, 'delete', `BEFORE DELETE ON ${name}`, null, [save(kept, 'old', '', [])]),
    // An update that gives a row other unique values may evict rows that have them.
    ...(evicted.length === 0
      ? []
      : [trigger(kept, 'replace', `BEFORE UPDATE${ofColumns(table, uniques)} ON ${name}`, null, evicted)]),
    trigger(kept, 'evict', `BEFORE INSERT ON ${name}`, null, [...atRowid, ...evicted]),
    // Only now is a key known that SQLite chose, or made of a default. The newest triggers fire first: no trigger of
    // the user comes between the row and its mark.
    trigger(kept, 'insert', `AFTER INSERT ON ${name}`, null, [markNew(kept, [])]),
    ...(table.withoutRowid
      ? [trigger(kept, 'move', `AFTER UPDATE${ofKey(kept)} ON ${name}`, null, [markNew(kept, [])])]
      : []),
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

/** The row that has the rowid of the new one. */
function saveAtNewRowid(kept: KeptTable): string {
  const row = quoted(kept.table.name);
  const rowid = rowidOf(kept);
  return save(kept, row, ` FROM ${row}`, [
    `${keySql(kept.table, rowid, row)} = ${keySql(kept.table, rowid, 'new')}`,
  ]);
}

/** What an update of the rowid does: it may have any of three names, so no list of columns can tell. */
function otherRowid(kept: KeptTable): string[] {
  const row = quoted(kept.table.name);
  const rowid = rowidOf(kept);
  const [was, is] = [keySql(kept.table, rowid, 'old'), keySql(kept.table, rowid, 'new')];
  const hasMoved = `${is} IS NOT ${was}`;
  const same = `${keySql(kept.table, rowid, row)} = ${is}`;
  return [save(kept, row, ` FROM ${row}`, [hasMoved, same]), markNew(kept, [hasMoved])];
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
function markNew(kept: KeptTable, conditions: readonly string[]): string {
  const { table, number } = kept;
  const key = kept.key ?? [];
  const distinct = [...new Map(key.map((column) => [column.column, column])).values()];
  const targets = table.withoutRowid ? names(distinct.map(({ column }) => column ?? 0)) : ['rowid'];
  const values = distinct.map((column) => keySql(table, column, 'new'));
  const where = [...conditions, ...mayMatter(kept, 'new'), `NOT ${isSaved(kept, 'new')}`];
  return `INSERT INTO ${savedName(number)} (${[...targets, 'present'].join(', ')}) SELECT ${[...values, '0'].join(', ')} WHERE ${where.join(' AND ')}`;
}

/** The columns of which an update may evict rows. */
function ofColumns(table: TableInfo, uniques: readonly Unique[]): string {
  const indexes = [...new Set(uniques.flatMap(({ columns }) => columns.map(({ column }) => column)))];
  // A computed column changes with others, and a row may come to meet the condition of an index by any.
  const isComputed = indexes.some((index) => table.columns[index]?.kind !== 'ordinary');
  if (isComputed || uniques.some(({ where }) => where !== null)) return '';
  return of(table, indexes);
}

function ofKey({ table, key }: KeptTable): string {
  const indexes = [...new Set((key ?? []).map(({ column }) => column ?? 0))];
  return indexes.some((index) => table.columns[index]?.kind !== 'ordinary') ? '' : of(table, indexes);
}

function of(table: TableInfo, indexes: readonly number[]): string {
  return ` OF ${indexes.map((index) => quoted(table.columns[index]?.name ?? '')).join(', ')}`;
}

function rowidOf({ key }: KeptTable): NonNullable<KeptTable['key']>[number] {
  const [column] = key ?? [];
  if (column === undefined) throw new RangeError('a tracked table has a key');
  return column;
}

function names(columns: readonly number[]): string[] {
  return columns.map((index) => `c${index}`);
}
