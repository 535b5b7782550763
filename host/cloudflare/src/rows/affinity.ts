// How SQLite converts what is stored in a column, and what that says about a number that JavaScript sees.

export type Affinity = 'BLOB' | 'TEXT' | 'INTEGER' | 'REAL' | 'NUMERIC';

/** The affinity of a column, by the rules of SQLite's documentation ("Determination Of Column Affinity"). */
export function affinity(declaredType: string, strict: boolean): Affinity {
  const type = declaredType.toUpperCase();
  if (strict && type === 'ANY') return 'BLOB';
  if (type.includes('INT')) return 'INTEGER';
  if (/CHAR|CLOB|TEXT/.test(type)) return 'TEXT';
  if (type === '' || type.includes('BLOB')) return 'BLOB';
  if (/REAL|FLOA|DOUB/.test(type)) return 'REAL';
  return 'NUMERIC';
}

/**
 * Whether a number in such a column may be an INTEGER or a REAL of the same value.
 *
 * The other affinities leave no doubt: REAL makes every number a REAL, INTEGER and NUMERIC make every REAL
 * that is a whole number an INTEGER (within its range, and -0.0 too), and TEXT keeps no numbers.
 */
export function isAmbiguous(of: Affinity): boolean {
  return of === 'BLOB';
}
