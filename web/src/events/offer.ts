import type { Event } from "../api/client.ts";
import type { Texts } from "../texts/en.ts";
import { shown } from "../texts/index.ts";
import { saleOf } from "./sale.ts";

export interface Offer {
  kind: "open" | "few" | "none" | "later";
  text: (texts: Texts["events"]) => string;
}

/** What a list says of an event's seats, in a few words. */
export function offerOf(event: Event): Offer {
  switch (saleOf(event, Date.now())) {
    case "cancelled":
      return { kind: "none", text: (texts) => texts.cancelled };
    case "paused":
      return { kind: "later", text: (texts) => texts.paused };
    case "closed":
      return { kind: "none", text: (texts) => texts.closed };
    case "later": {
      const when = shown(event.sales_open_at as string, {
        day: "numeric",
        month: "long",
        hour: "2-digit",
        minute: "2-digit",
      });
      return { kind: "later", text: (texts) => texts.opens(when) };
    }
    case "sold_out":
      return { kind: "none", text: (texts) => texts.soldOut };
    case "few":
      return { kind: "few", text: (texts) => texts.few(event.available) };
    case "open":
      return { kind: "open", text: (texts) => texts.free(event.available) };
  }
}
