// Cuts SQL text into statements, as it streams in.

const EMPTY = 0; // nothing yet but space and comments
const PLAIN = 1; // in a statement that ends with the next semicolon
const CREATE = 2; // after CREATE, and TEMP behind it
const TRIGGER = 3; // in a trigger's body
const SEMICOLON = 4; // in a trigger's body, behind a semicolon
const END = 5; // the same, behind END

const SPACE = /[ \t\n\f\r]+/y;
const WORD = /[A-Za-z0-9_$\u0080-\uffff]+/y;
const CLOSING = { "'": "'", '"': '"', '`': '`', '[': ']' };

/** Statements end where `sqlite3_complete` says: quotes, comments and trigger bodies are respected. */
export class Splitter {
  #text = '';
  #at = 0;
  #state = EMPTY;

  /** Takes more text; the statements that are complete now, with the comments before each. */
  *push(text) {
    this.#text += text;
    yield* this.#statements(false);
  }

  /** Takes note that there is no more text; what is left, be it a statement or only a comment. */
  *end() {
    yield* this.#statements(true);
    const rest = this.#text.trim();
    if (rest !== '') yield rest;
  }

  /** How much text waits for its statement's end. */
  get pending() {
    return this.#text.length;
  }

  *#statements(isLast) {
    for (;;) {
      const end = this.#tokenEnd(isLast);
      if (end === null) return;
      const token = this.#text.slice(this.#at, Math.min(end, this.#at + 20));
      this.#at = end;
      if (this.#takes(token)) {
        const statement = this.#text.slice(0, end).trim();
        this.#text = this.#text.slice(end);
        this.#at = 0;
        this.#state = EMPTY;
        yield statement;
      }
    }
  }

  /** Where the token ends that begins here; null where more text is needed to tell. */
  #tokenEnd(isLast) {
    const text = this.#text;
    const at = this.#at;
    if (at >= text.length) return null;
    const ends = (end) => (end < text.length || (isLast && end === text.length) ? end : null);
    const closes = (mark, from) => {
      const end = text.indexOf(mark, from);
      if (end < 0) return isLast ? text.length : null;
      return end + mark.length;
    };
    const first = text[at];
    if (first in CLOSING) return closes(CLOSING[first], at + 1);
    if (first === ';') return at + 1;
    if (text.startsWith('--', at)) return closes('\n', at);
    if (text.startsWith('/*', at)) return closes('*/', at + 2);
    if (first === '-' || first === '/') return ends(at + 1);
    for (const run of [SPACE, WORD]) {
      run.lastIndex = at;
      if (run.test(text)) return ends(run.lastIndex);
    }
    return at + 1;
  }

  /** Takes a token (or the beginning of a long one); whether the statement ends with it. */
  #takes(token) {
    if (/^(\s|--|\/\*)/.test(token)) return false;
    const word = token.toUpperCase();
    switch (this.#state) {
      case EMPTY:
        if (word === ';') return true;
        if (word !== 'EXPLAIN') this.#state = word === 'CREATE' ? CREATE : PLAIN;
        return false;
      case CREATE:
        if (word === 'TRIGGER') this.#state = TRIGGER;
        else if (word !== 'TEMP' && word !== 'TEMPORARY') this.#state = PLAIN;
        return word === ';';
      case PLAIN:
        return word === ';';
      default:
        if (word === ';' && this.#state === END) return true;
        if (word === ';') this.#state = SEMICOLON;
        else if (word === 'END' && this.#state === SEMICOLON) this.#state = END;
        else this.#state = TRIGGER;
        return false;
    }
  }
}
