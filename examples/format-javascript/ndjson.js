// The lines of the format: what a table, a row and each kind of cell look like. ../format-python/README.md says it in words.

// The codes of rows.batch.kinds.
export const INTEGER = 1, REAL = 2, TEXT = 3, BLOB = 4, NULL = 5, LONG_TEXT = 6, LONG_BLOB = 7;

export const END_OF_ROW = "}}\n";

const string = JSON.stringify;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A name from the schema, which should be UTF-8. Throws a TypeError if it is not. */
export function name(bytes) {
  return utf8.decode(bytes);
}

/** A table's name and columns, and the text that stands before each of its cells. */
export class Table {
  constructor(table, columns) {
    this.name = table;
    this.columns = columns;
    const begin = `{"table":${string(name(table))},`;
    const names = columns.map((column) => string(name(column)));
    this.heading = `${begin}"columns":[${names.join(",")}]}\n`;
    this.before = names.map((name, i) => (i === 0 ? `${begin}"row":{` : ",") + name + ":");
  }
}

/** The last line: without it, the file is cut off. */
export function end(tables, rows) {
  return `{"end":{"tables":${tables},"rows":${rows}}}\n`;
}

/** The shortest digits that give the same float again, laid out as Python does; JSON has no infinity. */
export function real(value) {
  if (!Number.isFinite(value)) return `{"real":"${value}"}`;
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) {
    const text = String(value);
    return text.includes(".") ? text : `${text}.0`;
  }
  const [digits, power] = value.toExponential().split("e");
  return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

/** Text as a string; if it is invalid in its encoding, its bytes. */
export function text(value, encoding) {
  const characters = decoded(value, encoding);
  return characters === undefined ? BEFORE.invalid + base64(value) + AFTER.invalid : string(characters);
}

export function blob(value) {
  return BEFORE.blob + base64(value) + AFTER.blob;
}

/** Undefined if the bytes are invalid. */
function decoded(bytes, encoding) {
  if (encoding !== "utf8") return decodedUtf16(bytes, encoding === "utf16le");
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function decodedUtf16(bytes, littleEndian) {
  if (bytes.length % 2 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieces = [];
  for (let begin = 0; begin < bytes.length; begin += 4096) {
    const units = [];
    const end = Math.min(begin + 4096, bytes.length);
    for (let i = begin; i < end; i += 2) units.push(view.getUint16(i, littleEndian));
    pieces.push(String.fromCharCode(...units));
  }
  const characters = pieces.join("");
  return characters.isWellFormed() ? characters : undefined;
}

export function base64(bytes) {
  return bytes.toBase64();
}

// A long value is written piece by piece, in one of three forms.
export const BEFORE = { text: '"', invalid: '{"text":"', blob: '{"blob":"' };
export const AFTER = { text: '"', invalid: '"}', blob: '"}' };

/** The form of a long value. Only after all of a text is it known whether it is valid. */
export function longForm(kind, value, encoding) {
  if (kind === LONG_BLOB) return "blob";
  for (let offset = 0; offset < value.length; ) {
    const [characters, used] = wholeCharacters(value.piece(offset), encoding);
    if (characters === undefined || used === 0) return "invalid";
    offset += used;
  }
  return "text";
}

/** A piece's text, and how many of its bytes that is: a character may be cut in two at its end. */
export function pieceOfLong(piece, form, encoding) {
  if (form !== "text") return [base64(piece), piece.length];
  const [characters, used] = wholeCharacters(piece, encoding);
  return [string(characters).slice(1, -1), used];
}

/** The characters in a piece, but for one that its end may cut in two, and how many bytes they are. */
function wholeCharacters(piece, encoding) {
  let length = piece.length;
  if (encoding === "utf8") {
    // The beginning of the last character: at most three bytes before the end.
    let begin = length - 1;
    while (begin > 0 && length - begin < 4 && (piece[begin] & 0xc0) === 0x80) begin -= 1;
    const first = piece[begin];
    const size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (begin + size > length) length = begin;
  } else if (length % 2 === 0 && length > 0) {
    const high = piece[encoding === "utf16le" ? length - 1 : length - 2];
    if (high >= 0xd8 && high < 0xdc) length -= 2;
  }
  return [decoded(piece.subarray(0, length), encoding), length];
}
