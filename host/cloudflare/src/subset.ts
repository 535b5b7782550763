// A part of a database: the settings by which the component leaves the rest out, and which tables are left.

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

/** Whether a table is in a part, by its name. For estimates: the component knows what belongs to a table, too. */
export function hasTable({ tables, excludeTables }: SubsetRequest, name: string): boolean {
  const isNamed = (pattern: string): boolean => isLike(name, pattern);
  return (tables.length === 0 || tables.some(isNamed)) && !excludeTables.some(isNamed);
}

/** Whether a name is another, or like a pattern. */
function isLike(name: string, pattern: string): boolean {
  const [one, other] = [lowerCase(name), lowerCase(pattern)];
  if (one === other) return true;
  if (!/[*?]/.test(other)) return false;
  return matches([...one], [...other]);
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
