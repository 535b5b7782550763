// Runs statements of a dump.

import type { Statement } from './component.js';
import { ImportError } from './error.js';

/** How much of a statement a message shows. */
const SHOWN = 100;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Runs a statement; `offset`: where `bytes` are in the dump, for messages. */
export function runStatement(sql: SqlStorage, bytes: Uint8Array, statement: Statement, offset: number): void {
  // The settings are made for each slice.
  if (statement.kind === 'setting') return;
  const text = bytes.subarray(statement.start, statement.end);
  try {
    sql.exec(decoder.decode(text));
  } catch (error) {
    const at = `the statement at byte ${offset + statement.start} failed: ${error instanceof Error ? error.message : String(error)}`;
    throw new ImportError('statement', `${at}: ${beginning(text)}`);
  }
}

/** Whether it may make a table or view. */
export function creates(bytes: Uint8Array, statement: Statement): boolean {
  if (statement.kind === 'table') return true;
  return statement.kind === 'other' && /^create/i.test(beginning(bytes.subarray(statement.start, statement.end)));
}

function beginning(text: Uint8Array): string {
  const shown = [...new TextDecoder().decode(text.subarray(0, 4 * SHOWN))].slice(0, SHOWN).join('');
  return shown.replaceAll(/\s+/g, ' ');
}
