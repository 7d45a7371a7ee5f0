import { type Signal, signal } from "@preact/signals";
import { api } from "../api/client.ts";
import { resultOf } from "../api/problem.ts";
import { serverNow } from "../api/server_clock.ts";
import { type Counts, Minutes } from "./minutes.ts";

export const MINUTES = 60;
const LOOK_MILLISECONDS = 2_000;
// An hour of the largest on-sale; beyond it the figures say where they begin.
const LOOKS_BACK_MAX = 20;

export interface LastHour {
  minutes: { at: number; counts: Counts }[];
  /** The moment from which on the figures are whole, where that is later than an hour ago. */
  since: number | null;
}

/** The sales of the last hour, kept up to date while somebody looks. */
export class LiveSales {
  readonly hour: Signal<LastHour | null> = signal(null);
  readonly #id: string;
  readonly #minutes = new Minutes();
  #timer: ReturnType<typeof setInterval> | null = null;
  #isLooking = false;
  #isWhole = false;

  constructor(eventId: string) {
    this.#id = eventId;
  }

  start(): void {
    void this.#look();
    this.#timer = setInterval(() => void this.#look(), LOOK_MILLISECONDS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #look(): Promise<void> {
    if (this.#isLooking || document.hidden) return;
    this.#isLooking = true;
    const { last } = this.#minutes;
    let isMore = await this.#ask(last === null ? {} : { after: last });
    while (isMore === true && last !== null) isMore = await this.#ask({ after: this.#minutes.last as number });
    if (isMore !== null && !this.#isWhole) await this.#lookBack();
    this.#isLooking = false;
    this.#show();
  }

  async #lookBack(): Promise<void> {
    for (let looks = 0; looks < LOOKS_BACK_MAX; looks++) {
      const { first, earliest } = this.#minutes;
      if (first === null || first === 0 || (earliest ?? serverNow()) <= hourAgo()) break;
      if ((await this.#ask({ before: first })) === null) return;
      this.#show();
    }
    this.#isWhole = true;
  }

  /** Whether there is more to ask for; null when there was no answer. */
  async #ask(query: { after?: number; before?: number }): Promise<boolean | null> {
    const params = { path: { event_id: this.#id }, query };
    const result = await resultOf(api.GET("/analytics/events/{event_id}/sales", { params }));
    if (!result.ok) return null;
    this.#minutes.take(result.value);
    return !result.value.is_whole && query.before === undefined;
  }

  #show(): void {
    if (this.#timer === null || this.#minutes.last === null) return;
    const { first, earliest } = this.#minutes;
    const since = first !== null && first > 0 && earliest !== null && earliest > hourAgo() ? earliest : null;
    this.hour.value = { minutes: this.#minutes.range(serverNow(), MINUTES), since };
  }
}

function hourAgo(): number {
  return serverNow() - MINUTES * 60_000;
}
