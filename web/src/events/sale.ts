export type Sale = "open" | "few" | "sold_out" | "later" | "paused" | "closed" | "cancelled";

export interface Selling {
  status: string;
  available: number;
  capacity: number;
  start_time: string;
  sales_open_at?: string | null;
  sales_close_at?: string | null;
}

const FEW_SHARE = 0.05;
const FEW_MAX = 20;

/** How far the sale of an event is. `now` only chooses words; the server decides what is sold. */
export function saleOf(event: Selling, now: number): Sale {
  if (event.status === "cancelled" || event.status === "paused") return event.status;
  const isOver = (instant: string | null | undefined) => typeof instant === "string" && Date.parse(instant) <= now;
  if (event.status !== "on_sale" || isOver(event.sales_close_at) || isOver(event.start_time)) return "closed";
  if (typeof event.sales_open_at === "string" && !isOver(event.sales_open_at)) return "later";
  if (event.available === 0) return "sold_out";
  return event.available <= Math.min(FEW_MAX, Math.max(1, event.capacity * FEW_SHARE)) ? "few" : "open";
}
