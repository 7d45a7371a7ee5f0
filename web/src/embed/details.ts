import { amountOf, currencyOf } from "../event/amounts.ts";
import type { EventStore, Loss } from "../event/store.ts";

/** What the element's events tell; the names are those of the API. */
export interface SeatDetail {
  seat_no: string;
  section: string;
  row: string;
  number: string;
  category: string;
  /** As far as the event's metadata says so. */
  price: { amount: number; currency: string } | null;
}

export interface LostDetail extends SeatDetail {
  status: Loss["status"];
}

export interface HeldDetail {
  hold_token: string;
  event_id: string;
  seat_nos: string[];
  expires_at: string;
}

/** `code` is stable; docs/outcomes.md has them all. */
export interface Refused {
  code: string;
  detail: string;
  retry_after: number | null;
}

export function seatDetail(store: EventStore, seat: number): SeatDetail {
  const hall = store.hall.value;
  const section = hall?.sections[hall.section[seat] as number];
  const category = hall?.categories[hall.category[seat] as number]?.name ?? "";
  const metadata = store.event.value?.metadata;
  const amount = amountOf(metadata, category);
  return {
    seat_no: hall?.labels[seat] ?? "",
    section: section?.name ?? "",
    row: section?.rows.find(({ first, end }) => first <= seat && seat < end)?.name ?? "",
    number: hall?.numbers[seat] ?? "",
    category,
    price: amount === null ? null : { amount, currency: currencyOf(metadata) },
  };
}

/** The losses that have not been told yet. */
export function lostSeats(store: EventStore, losses: Loss[], told: ReadonlySet<number>): LostDetail[] {
  return losses
    .filter(({ seat }) => !told.has(seat))
    .map(({ seat, status }) => ({ ...seatDetail(store, seat), status }));
}
