import type { Event } from "../api/client.ts";
import { money } from "../texts/index.ts";
import { amountOf, currencyOf } from "./amounts.ts";

/** What a seat of this category costs, if the event's metadata says so. */
export function priceOf(event: Event | null, category: string): { amount: number; text: string } | null {
  const amount = amountOf(event?.metadata, category);
  return amount === null ? null : { amount, text: money(amount, currencyOf(event?.metadata)) };
}

export function totalOf(event: Event | null, categories: string[]): string | null {
  const prices = categories.map((category) => priceOf(event, category));
  if (prices.length === 0 || prices.some((price) => price === null)) return null;
  return money(
    prices.reduce((sum, price) => sum + (price?.amount ?? 0), 0),
    currencyOf(event?.metadata),
  );
}
