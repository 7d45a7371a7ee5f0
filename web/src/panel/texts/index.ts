import { effect, signal } from "@preact/signals";
import { language } from "../../texts/index.ts";
import english, { type PanelTexts } from "./en.ts";

// As for the visitors' texts: a language is a file in this folder. One that is missing here is shown in English.
const files = import.meta.glob<{ default: PanelTexts }>(["./??.ts", "!./en.ts"]);
const texts = signal<PanelTexts>(english);

/** The panel's texts in the language that is shown. */
export function p(): PanelTexts {
  return texts.value;
}

async function read(tag: string): Promise<void> {
  const file = files[`./${tag}.ts`];
  const read = file === undefined ? english : (await file()).default;
  if (language.peek() === tag) texts.value = read;
}

let isFollowing = false;

/** Ready once the texts are there; from then on they follow the language of the page. */
export async function startTexts(): Promise<void> {
  await read(language.peek());
  if (!isFollowing) effect(() => void read(language.value));
  isFollowing = true;
}

/** A share in per cent, as the language writes it. */
export function percent(part: number, whole: number): string {
  const share = whole === 0 ? 0 : part / whole;
  const tag = language.value === "en" ? "en-GB" : language.value;
  return new Intl.NumberFormat(tag, {
    style: "percent",
    maximumFractionDigits: share > 0 && share < 0.1 ? 1 : 0,
  }).format(share);
}
