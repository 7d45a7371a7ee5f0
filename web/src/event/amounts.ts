/** Reads `{"currency": "EUR", "prices": {"Stalls": 48.5}}` in an event's metadata, which may hold anything. */

export function amountOf(metadata: Record<string, unknown> | undefined, category: string): number | null {
  const prices = metadata?.["prices"];
  if (typeof prices !== "object" || prices === null || !Object.hasOwn(prices, category)) return null;
  const amount = (prices as Record<string, unknown>)[category];
  return typeof amount === "number" && Number.isFinite(amount) && amount >= 0 ? amount : null;
}

export function currencyOf(metadata: Record<string, unknown> | undefined): string {
  const currency = metadata?.["currency"];
  return typeof currency === "string" && /^[A-Z]{3}$/.test(currency) ? currency : "EUR";
}
