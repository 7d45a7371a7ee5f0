/** What this browser remembers between visits. It may be full or forbidden; the pages then work without. */

export function keep(name: string, value: unknown): void {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Nothing is kept, then.
  }
}

export function kept<Value>(name: string): Value | null {
  try {
    const text = localStorage.getItem(name);
    return text === null ? null : (JSON.parse(text) as Value);
  } catch {
    return null;
  }
}
