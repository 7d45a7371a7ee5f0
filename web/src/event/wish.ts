import type { Api, Hold } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import type { EventStore, Loss } from "./store.ts";

/** Asking for the seats that are chosen. Each repetition of one wish has the same key, until there was an answer. */
export class Wish {
  readonly #event: EventStore;
  readonly #api: Api;
  #asked: { seats: string; key: string } | null = null;

  constructor(event: EventStore, api: Api) {
    this.#event = event;
    this.#api = api;
  }

  /** Why nothing is held, or null. `begin` is told of the hold before the map hears that somebody has its seats. */
  async ask(begin: (hold: Hold) => void, headers: Record<string, string> = {}): Promise<Refusal | null> {
    const seatNos = this.#event.labelsOf(this.#event.chosen.value);
    const seats = seatNos.join("\n");
    if (this.#asked?.seats !== seats) this.#asked = { seats, key: crypto.randomUUID() };
    this.#event.isAsking.value = true;
    const result = await resultOf(
      this.#api.POST("/holds", {
        params: { header: { "Idempotency-Key": this.#asked.key } },
        headers,
        body: { event_id: this.#event.id, seat_nos: seatNos },
      }),
    );
    if (result.ok) {
      this.#asked = null;
      begin(result.value);
      this.#event.isAsking.value = false;
      return null;
    }
    // The server has decided, so another press is another wish.
    if (result.refusal.code !== "unreachable" && result.refusal.code !== "outcome_unknown") this.#asked = null;
    this.#event.lose(this.#lossesOf(result.refusal));
    this.#event.isAsking.value = false;
    if (result.refusal.code === "not_on_sale") void this.#event.look();
    // The labels come from the chart, so what can be wrong with them is that there are too many.
    return result.refusal.code === "invalid_request" ? { ...result.refusal, code: "hold_limit" } : result.refusal;
  }

  #lossesOf({ code, conflicts }: Refusal): Loss[] {
    if (code !== "seats_unavailable") return [];
    return conflicts.flatMap(({ seat_no, status }): Loss[] => {
      const seat = this.#event.hall.value?.indexOf.get(seat_no);
      return seat === undefined ? [] : [{ seat, status: status as Loss["status"] }];
    });
  }
}
