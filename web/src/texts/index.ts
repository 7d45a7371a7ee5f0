import { signal } from "@preact/signals";
import type { Refusal } from "../api/problem.ts";
import { keep, kept } from "../parts/keeping.ts";
import { bestLanguage } from "./choice.ts";
import type { Texts } from "./en.ts";

// A language is a file in this folder, named by its tag. Only the one that is shown is loaded.
const files = import.meta.glob<{ default: Texts }>(["./??.ts"]);
export const languages = Object.keys(files).map((path) => path.slice(2, -3));
const LANGUAGE = "overbookr.language";

export const language = signal("en");
const texts = signal<Texts | null>(null);

/** The texts of the language that is shown. */
export function t(): Texts {
  return texts.value as Texts;
}

/** Have the texts of a language shown, and leave the page around them as it is. */
export async function learn(tag: string): Promise<void> {
  const file = await (files[`./${tag}.ts`] as () => Promise<{ default: Texts }>)();
  language.value = tag;
  texts.value = file.default;
}

export async function speak(tag: string, { remember = false } = {}): Promise<void> {
  await learn(tag);
  document.documentElement.lang = tag;
  if (remember) keep(LANGUAGE, tag);
}

export function startLanguage(): Promise<void> {
  return speak(bestLanguage([kept<string>(LANGUAGE) ?? "", ...navigator.languages], languages));
}

/** A refusal in plain words. */
export function words(refusal: Refusal): string {
  const { problems, fields } = t();
  const field = refusal.errors.map(({ path }) => path.replace("$.", "")).find((name) => name in fields);
  if (field !== undefined) return fields[field as keyof typeof fields];
  return refusal.code in problems
    ? problems[refusal.code as keyof typeof problems]
    : `${problems.other} ${refusal.detail}`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** A moment in the visitor's own time zone. */
export function shown(instant: string, parts: Intl.DateTimeFormatOptions): string {
  const key = language.value + JSON.stringify(parts);
  let format = formats.get(key);
  if (format === undefined) {
    // English without a country writes dates as in the United States; a theatre's audience is more often elsewhere.
    format = new Intl.DateTimeFormat(language.value === "en" ? "en-GB" : language.value, parts);
    formats.set(key, format);
  }
  return format.format(new Date(instant));
}

export function money(amount: number, currency: string): string {
  const digits = Number.isInteger(amount) ? { minimumFractionDigits: 0 } : {};
  const tag = language.value === "en" ? "en-GB" : language.value;
  return new Intl.NumberFormat(tag, { style: "currency", currency, ...digits }).format(amount);
}
