/** Moments as the browser's own fields for day and time take and give them, in the time zone of the browser. */

export function fieldOf(instant: string | null | undefined): string {
  if (instant === null || instant === undefined) return "";
  const date = new Date(instant);
  const two = (part: number) => String(part).padStart(2, "0");
  const year = String(date.getFullYear()).padStart(4, "0");
  return `${year}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Null for nothing and for what is no moment. */
export function instantOf(field: string): string | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(field)) return null;
  const date = new Date(field);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** The zone by its name and what it is ahead of UTC at that moment, which is another in summer than in winter. */
export function zoneOf(at: Date): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const ahead = -at.getTimezoneOffset();
  const hours = Math.floor(Math.abs(ahead) / 60);
  const minutes = Math.abs(ahead) % 60;
  const clock = `${hours}${minutes === 0 ? "" : `:${String(minutes).padStart(2, "0")}`}`;
  return `${timeZone} (UTC${ahead < 0 ? "−" : "+"}${clock})`;
}
