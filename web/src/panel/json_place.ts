/** Where something is in the text of a JSON file, so that a mistake can be shown where it is. */

export interface TextPlace {
  start: number;
  end: number;
  /** Both from 1. */
  line: number;
  column: number;
}

/** `zones[3].rows[2].name` as its steps; `$` is the whole file. */
export function stepsOf(path: string): (string | number)[] {
  if (path === "$") return [];
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) =>
    index === undefined ? (name as string) : Number(index),
  );
}

/** The value that the path names, or the last one around it that is there: something may be missing. */
export function placeOf(text: string, path: string): TextPlace {
  const reader = new Reader(text);
  let [start, end] = reader.value();
  for (const step of stepsOf(path)) {
    const inner = reader.inside(start, step);
    if (inner === null) {
      end = Math.min(end, start + 1);
      break;
    }
    [start, end] = inner;
  }
  return placed(text, start, end);
}

/** The place that the server names in words where a file is no JSON at all. */
export function placeInWords(text: string, message: string): TextPlace | null {
  const found = /line (\d+), column (\d+)/.exec(message);
  if (found === null) return null;
  const lines = text.split("\n", Number(found[1]));
  const before = lines.slice(0, -1).reduce((sum, line) => sum + line.length + 1, 0);
  const start = Math.min(text.length, before + Number(found[2]) - 1);
  return placed(text, start, start + 1);
}

/** The place with the lines around it, as far left as they go; what is long is cut. */
export function excerptOf(text: string, { start, end }: TextPlace): { before: string; wrong: string; after: string } {
  const shownEnd = Math.max(start + 1, Math.min(end, start + AROUND, lineEnd(text, start)));
  const before = text.slice(Math.max(linesBefore(text, start), start - AROUND), start);
  const after = text.slice(shownEnd, Math.min(linesAfter(text, shownEnd), shownEnd + AROUND));
  const indents = `${before}x${after}`.split("\n").map((line) => line.length - line.trimStart().length);
  const indent = new RegExp(`(^|\\n)[ \\t]{${Math.min(...indents)}}`, "g");
  return {
    before: before.replace(indent, "$1"),
    wrong: text.slice(start, shownEnd),
    after: after.replace(indent, "$1"),
  };
}

const AROUND = 160;
const LINES_AROUND = 2;

function linesBefore(text: string, at: number): number {
  let start = text.lastIndexOf("\n", at - 1) + 1;
  for (let lines = 0; lines < LINES_AROUND && start > 0; lines++) start = text.lastIndexOf("\n", start - 2) + 1;
  return start;
}

function linesAfter(text: string, at: number): number {
  let end = lineEnd(text, at);
  for (let lines = 0; lines < LINES_AROUND && end < text.length; lines++) end = lineEnd(text, end + 1);
  return end;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

function placed(text: string, start: number, end: number): TextPlace {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < start; at = text.indexOf("\n", at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  return { start, end, line, column: start - lineStart + 1 };
}

/** Reads just enough of well-formed JSON to step over values. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Start and end of the value that comes next. */
  value(): [number, number] {
    this.#skipBlanks();
    const start = this.#at;
    this.#skipValue();
    return [start, this.#at];
  }

  /** The member or element of the value that starts there. */
  inside(start: number, step: string | number): [number, number] | null {
    this.#at = start + 1;
    const kind = this.#text[start];
    if (kind === "[" && typeof step === "number") return this.#element(step);
    if (kind === "{" && typeof step === "string") return this.#member(step);
    return null;
  }

  #element(index: number): [number, number] | null {
    for (let at = 0; ; at++) {
      this.#skipBlanks();
      if (this.#ends("]")) return null;
      const found = this.value();
      if (at === index) return found;
      this.#skipBlanks();
      if (this.#text[this.#at] === ",") this.#at += 1;
    }
  }

  #member(name: string): [number, number] | null {
    // The last of equal names counts, as it does for whoever reads the file.
    let found: [number, number] | null = null;
    for (;;) {
      this.#skipBlanks();
      if (this.#ends("}")) return found;
      const [start, end] = this.value();
      this.#skipBlanks();
      if (this.#text[this.#at] === ":") this.#at += 1;
      const value = this.value();
      if (nameOf(this.#text.slice(start, end)) === name) found = value;
      this.#skipBlanks();
      if (this.#text[this.#at] === ",") this.#at += 1;
    }
  }

  #ends(bracket: string): boolean {
    return this.#at >= this.#text.length || this.#text[this.#at] === bracket;
  }

  #skipBlanks(): void {
    while (/\s|\ufeff/.test(this.#text[this.#at] ?? "x")) this.#at += 1;
  }

  #skipValue(): void {
    const first = this.#text[this.#at];
    if (first === '"') {
      this.#skipText();
      return;
    }
    if (first !== "{" && first !== "[") {
      // A number or a word; at least one character, so that whatever is read comes to an end.
      do this.#at += 1;
      while (/[^\s,\]}:]/.test(this.#text[this.#at] ?? ","));
      return;
    }
    let depth = 0;
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at];
      if (sign === '"') {
        this.#skipText();
        continue;
      }
      this.#at += 1;
      if (sign === "{" || sign === "[") depth += 1;
      else if (sign === "}" || sign === "]") depth -= 1;
      if (depth === 0) return;
    }
  }

  #skipText(): void {
    this.#at += 1;
    while (this.#at < this.#text.length && this.#text[this.#at] !== '"')
      this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    this.#at += 1;
  }
}

function nameOf(token: string): string | null {
  try {
    return JSON.parse(token) as string;
  } catch {
    return null;
  }
}
