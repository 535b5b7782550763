// A part of a database: the settings by which the component leaves the rest out, and whose rows it reads.

import type { SchemaInfo, TableInfo } from './rows/schema.js';

/** A part of a database. */
export interface SubsetRequest {
  /** Names, or patterns with `*` and `?`; none: all tables. */
  readonly tables: readonly string[];
  /** Tables that are left out, by their names or patterns. */
  readonly excludeTables: readonly string[];
  /** Definitions alone, or rows alone; null: both. */
  readonly content: 'schema' | 'data' | null;
  /** The most rows of each table; null: all. */
  readonly limit: number | null;
}

/** The settings of a part. */
export function subsetSettings({ excludeTables, content, limit }: SubsetRequest): [string, string][] {
  const settings: [string, string][] = excludeTables.map((table) => ['exclude-table', table]);
  if (content !== null) settings.push(['content', content]);
  if (limit !== null) settings.push(['limit', String(limit)]);
  return settings;
}

/**
 * Whose rows an export of a part may read. It may be one table too many, where the component leaves more out; one that is
 * not among them can't be read.
 */
export function mayRead(subset: SubsetRequest, schema: SchemaInfo): (table: TableInfo) => boolean {
  if (subset.content === 'schema') return () => false;
  const tables = schema.flatMap(({ table }) => (table === null ? [] : [table]));
  const chosen = named(subset.tables, tables);
  const excluded = named(subset.excludeTables, tables);
  const isOfExcluded = ({ name }: TableInfo): boolean =>
    tables.some((owner) => owner.isVirtual && excluded.has(owner.name) && lowerCase(name).startsWith(`${lowerCase(owner.name)}_`));
  return (table) => {
    if (/^sqlite_/i.test(table.name)) return true;
    if (subset.tables.length > 0 && !chosen.has(table.name)) return false;
    return table.isShadow ? !isOfExcluded(table) : !excluded.has(table.name);
  };
}

/** The tables that names or patterns stand for. A table of exactly such a name comes first, whatever its letters. */
function named(patterns: readonly string[], tables: readonly TableInfo[]): ReadonlySet<string> {
  const names = tables.map(({ name }) => name);
  return new Set(
    patterns.flatMap((pattern) => {
      const exact = names.filter((name) => lowerCase(name) === lowerCase(pattern));
      return exact.length > 0 ? exact : names.filter((name) => isLike(name, pattern));
    }),
  );
}

/** Whether a name is like a pattern. */
function isLike(name: string, pattern: string): boolean {
  return /[*?]/.test(pattern) && matches([...lowerCase(name)], [...lowerCase(pattern)]);
}

/** As SQLite compares names: ASCII letters alone have cases. */
function lowerCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** In a time that grows with the product of both lengths, whatever the pattern: no regular expression promises that. */
function matches(name: readonly string[], pattern: readonly string[]): boolean {
  let [at, next, star, tried] = [0, 0, -1, 0];
  while (at < name.length) {
    if (pattern[next] === '*') {
      star = next++;
      tried = at;
    } else if (next < pattern.length && (pattern[next] === '?' || pattern[next] === name[at])) {
      at++;
      next++;
    } else if (star >= 0) {
      next = star + 1;
      at = ++tried;
    } else {
      return false;
    }
  }
  return pattern.slice(next).every((letter) => letter === '*');
}
