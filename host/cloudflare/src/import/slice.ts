// One slice of an import: statements, and in the same transaction how far they go. Nothing else runs meanwhile.

import type { Splitter, Statement } from './component.js';
import type { ImportBudget } from './budget.js';
import { named, type DumpSource } from './dump_source.js';
import { ImportError } from './error.js';
import { createKeyIndexes, withImportSettings } from './foreign_keys.js';
import { progressed, type ImportRecord, type ImportStates } from './state.js';
import { creates, runStatement } from './statements.js';

/** What a slice is to run. */
export interface Range {
  /** The offset of `bytes` in the dump. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly statements: readonly Statement[];
  /** How many bytes the statements end behind. */
  readonly used: number;
}

/** The next statements; null: there are no more. */
export async function nextRange(
  splitter: Splitter,
  source: DumpSource,
  { key, size }: ImportRecord['object'],
  budget: ImportBudget,
): Promise<Range | null> {
  const { offset } = source;
  // A statement may be longer than a slice should be.
  for (let length = budget.sliceBytes; ; length *= 2) {
    const bytes = await source.peek(length);
    const { statements, used } = splitter.split(bytes, budget.sliceStatements);
    if (used > 0) return { offset, bytes, statements, used };
    if (offset + bytes.length < size) continue;
    if (bytes.every((byte) => byte === 0x0a || byte === 0x20)) return null;
    throw new ImportError('cut-off', `${named(key)} is damaged: the statement at byte ${offset} has no end`);
  }
}

/** Runs statements and saves that they were; false: the import has ended meanwhile, or others have run them. */
export function runSlice(storage: DurableObjectStorage, states: ImportStates, id: string, range: Range): boolean {
  const { sql } = storage;
  const { offset, bytes, statements, used } = range;
  return withImportSettings(storage, () => {
    const record = states.find(id);
    if (record === null || record.offset !== offset) return false;
    if (record.status !== 'running' && record.status !== 'failing') return false;
    const isMaking = statements.some((statement) => creates(bytes, statement));
    const before = new Set(isMaking ? states.present().map(({ name }) => name) : []);
    for (const statement of statements) {
      if (statement.kind === 'rows' && !record.hasKeyIndexes) {
        const tables = states.present().filter(({ kind }) => kind === 'table');
        createKeyIndexes(sql, tables.map(({ name }) => name));
        record.hasKeyIndexes = true;
      }
      runStatement(sql, bytes, statement, offset);
      record.rows += Number(statement.rows);
    }
    if (isMaking) states.addMade(states.present().filter(({ name }) => !before.has(name)));
    record.offset = offset + used;
    record.statements += statements.length;
    record.slices += 1;
    progressed(record);
    states.save(record);
    return true;
  });
}
