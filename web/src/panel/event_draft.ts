import type { Event } from "../api/client.ts";
import type { Refusal } from "../api/problem.ts";
import { currencyOf } from "../event/amounts.ts";
import { fieldOf, instantOf } from "./moments.ts";

/** What the form for an event holds: the texts of its fields. */
export interface EventDraft {
  name: string;
  venue: string;
  start_time: string;
  sales_open_at: string;
  sales_close_at: string;
  capacity: string;
  status: string;
  waitlist_policy: string;
  currency: string;
  prices: Record<string, string>;
}

/** By field, which of the texts says what is wrong with it. */
export type Faults = Partial<Record<Exclude<keyof EventDraft, "status" | "waitlist_policy">, Fault>>;
export type Fault =
  | "name"
  | "venue"
  | "start_time"
  | "sales_open_at"
  | "sales_close_at"
  | "window"
  | "capacity"
  | "in_use"
  | "prices"
  | "currency";

const NAME_CHARACTERS_MAX = 200;
const CAPACITY_MAX = 10_000_000;

export function draftOf(event: Event | null): EventDraft {
  const prices = event?.metadata["prices"];
  const entries = typeof prices === "object" && prices !== null ? Object.entries(prices) : [];
  return {
    name: event?.name ?? "",
    venue: event?.venue ?? "",
    start_time: fieldOf(event?.start_time),
    sales_open_at: fieldOf(event?.sales_open_at),
    sales_close_at: fieldOf(event?.sales_close_at),
    // What can be sold is told, not the cap; they differ only where there is a cap or something is blocked.
    capacity: event !== null && event.capacity !== event.seats_count ? String(event.capacity) : "",
    status: event?.status ?? "draft",
    waitlist_policy: event?.waitlist_policy ?? "first_fit",
    currency: currencyOf(event?.metadata),
    prices: Object.fromEntries(entries.map(([category, amount]) => [category, String(amount)])),
  };
}

export function faultsOf(draft: EventDraft): Faults {
  const faults: Faults = {};
  for (const field of ["name", "venue"] as const) {
    const length = draft[field].trim().length;
    if (length === 0 || length > NAME_CHARACTERS_MAX) faults[field] = field;
  }
  if (!isShowTime(draft.start_time)) faults.start_time = "start_time";
  for (const field of ["sales_open_at", "sales_close_at"] as const) {
    if (draft[field] !== "" && !isShowTime(draft[field])) faults[field] = field;
  }
  const [opens, closes] = [instantOf(draft.sales_open_at), instantOf(draft.sales_close_at)];
  if (opens !== null && closes !== null && opens >= closes) faults.sales_close_at ??= "window";
  const capacity = draft.capacity.trim();
  if (capacity !== "" && !(/^\d{1,8}$/.test(capacity) && Number(capacity) >= 1 && Number(capacity) <= CAPACITY_MAX)) {
    faults.capacity = "capacity";
  }
  if (Object.values(draft.prices).some((text) => text.trim() !== "" && amountOf(text) === null))
    faults.prices = "prices";
  if (!/^[A-Z]{3}$/.test(draft.currency)) faults.currency = "currency";
  return faults;
}

/** Where a refusal of the server belongs; nothing where it is about no field. */
export function faultsOfRefusal(refusal: Refusal): Faults {
  if (refusal.code === "capacity_in_use") return { capacity: "in_use" };
  const known = ["name", "venue", "start_time", "sales_open_at", "sales_close_at", "capacity"] as const;
  const faults: Faults = {};
  for (const { path } of refusal.errors) {
    const field = known.find((name) => path === `$.${name}` || path === name);
    if (field !== undefined) faults[field] = field;
  }
  return faults;
}

/** The body of a creation or of a change. What the form does not know of the metadata stays as it is. */
export function bodyOf(draft: EventDraft, metadata: Record<string, unknown>) {
  const prices = Object.entries(draft.prices)
    .map(([category, text]) => [category, amountOf(text)] as const)
    .filter(([, amount]) => amount !== null);
  const { prices: _, currency: __, ...others } = metadata;
  const told = prices.length === 0 ? {} : { currency: draft.currency, prices: Object.fromEntries(prices) };
  return {
    name: draft.name.trim(),
    venue: draft.venue.trim(),
    start_time: instantOf(draft.start_time) as string,
    sales_open_at: instantOf(draft.sales_open_at),
    sales_close_at: instantOf(draft.sales_close_at),
    capacity: draft.capacity.trim() === "" ? null : Number(draft.capacity),
    waitlist_policy: draft.waitlist_policy as "first_fit" | "strict",
    metadata: { ...others, ...told } as Record<string, never>,
  };
}

/**
 * Only what is another than when the form was filled in, so that what others have changed meanwhile stays; what the form
 * does not know of the metadata is as it is now.
 */
export function changesOf(draft: EventDraft, filledIn: EventDraft, now: Event): Partial<ReturnType<typeof bodyOf>> {
  const known = new Map(
    Object.entries(bodyOf(filledIn, now.metadata)).map(([name, value]) => [name, JSON.stringify(value)]),
  );
  const after = Object.entries(bodyOf(draft, now.metadata));
  return Object.fromEntries(after.filter(([name, value]) => known.get(name) !== JSON.stringify(value)));
}

/** With a comma or a point, as people write prices. */
function amountOf(text: string): number | null {
  const written = text.trim().replace(",", ".");
  return /^\d{1,7}(\.\d{1,2})?$/.test(written) ? Number(written) : null;
}

function isShowTime(field: string): boolean {
  const instant = instantOf(field);
  if (instant === null) return false;
  const year = new Date(instant).getUTCFullYear();
  return year >= 1900 && year <= 9000;
}
