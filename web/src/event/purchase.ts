import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { api } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { secondsUntil } from "../api/server_clock.ts";
import { keep, kept } from "../parts/keeping.ts";
import { user } from "../session/session.ts";
import { t } from "../texts/index.ts";
import type { EventStore } from "./store.ts";
import { Wish } from "./wish.ts";

/** A hold as this browser remembers it, so that loading the page anew loses nothing. */
interface KeptHold {
  hold_token: string;
  event_id: string;
  seat_nos: string[];
  expires_at: string;
  user_id: string;
  /** One for the one booking that can come of the hold: pressing twice, or in two tabs, books once. */
  booking_key: string;
}

const READ_OUT_AT = [120, 60, 30, 10];

/** From chosen seats to a booking. */
export class Purchase {
  readonly hold: Signal<KeptHold | null> = signal(null);
  readonly secondsLeft = signal(0);
  readonly working: Signal<"holding" | "booking" | "releasing" | null> = signal(null);
  readonly refusal: Signal<Refusal | null> = signal(null);
  readonly message = signal("");
  readonly count: ReadonlySignal<number>;
  readonly #event: EventStore;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #forgetUser: () => void;
  readonly #wish: Wish;

  constructor(event: EventStore) {
    this.#event = event;
    this.#wish = new Wish(event, api);
    this.count = computed(() => event.chosen.value.size);
    this.#timer = setInterval(() => this.#tick(), 250);
    this.#forgetUser = effect(() => {
      const hold = kept<KeptHold>(this.#name);
      if (user.value === null) this.#end();
      else if (hold?.user_id === user.value.id && event.hall.value !== null) this.#begin(hold);
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#forgetUser();
  }

  async place(): Promise<void> {
    if (this.working.value !== null || this.count.value === 0) return;
    this.#clear("holding");
    const refusal = await this.#wish.ask((answer) => {
      const expires_at = String(answer.expires_at);
      const hold = { ...answer, expires_at, user_id: user.value?.id ?? "", booking_key: crypto.randomUUID() };
      keep(this.#name, hold);
      this.#begin(hold);
    });
    this.working.value = null;
    if (refusal === null) {
      const seats = this.hold.value?.seat_nos.length ?? 0;
      this.#event.said.value = `${t().basket.held(seats)} ${t().basket.timeLeft(this.secondsLeft.value)}`;
    } else if (refusal.code === "seats_unavailable") this.message.value = t().lost.nothingHeld;
    else this.refusal.value = refusal;
  }

  /** The id of the booking, or null when it was refused. */
  async book(): Promise<string | null> {
    const { value: hold } = this.hold;
    if (hold === null || this.working.value !== null) return null;
    this.#clear("booking");
    const { event_id, hold_token } = hold;
    const params = { header: { "Idempotency-Key": hold.booking_key } };
    const result = await resultOf(api.POST("/bookings", { params, body: { event_id, hold_token } }));
    this.working.value = null;
    const bookedBefore = result.ok ? null : /\/bookings\/([0-9a-f-]+)/.exec(result.refusal.location ?? "")?.[1];
    if (result.ok || bookedBefore) {
      this.#end();
      return result.ok ? result.value.id : (bookedBefore as string);
    }
    if (["hold_expired", "hold_not_found"].includes(result.refusal.code)) this.#end();
    this.refusal.value = result.refusal;
    return null;
  }

  async release(): Promise<void> {
    const { value: hold } = this.hold;
    if (hold === null || this.working.value !== null) return;
    this.#clear("releasing");
    const path = { hold_token: hold.hold_token };
    const result = await resultOf(api.DELETE("/holds/{hold_token}", { params: { path } }));
    this.working.value = null;
    if (!result.ok && !["hold_over", "hold_not_found"].includes(result.refusal.code)) {
      this.refusal.value = result.refusal;
      return;
    }
    this.#end();
    this.#tell(t().basket.released);
  }

  get #name(): string {
    return `overbookr.hold.${this.#event.id}`;
  }

  #begin(hold: KeptHold): void {
    if (this.hold.peek()?.hold_token === hold.hold_token) return;
    this.#event.choose(new Set());
    this.#event.mine.value = this.#event.seatsOf(hold.seat_nos);
    this.hold.value = hold;
    this.secondsLeft.value = secondsUntil(hold.expires_at);
  }

  #end(): void {
    if (this.hold.peek() === null) return;
    keep(this.#name, null);
    this.hold.value = null;
    this.#event.mine.value = new Set();
  }

  #tick(): void {
    const { value: hold } = this.hold;
    if (hold === null) return;
    const before = this.secondsLeft.value;
    const left = secondsUntil(hold.expires_at);
    this.secondsLeft.value = left;
    // A booking that is on its way may have been in time; its answer says so.
    if (left === 0 && this.working.value === null) {
      this.#end();
      this.#tell(t().basket.lapsed);
    } else if (READ_OUT_AT.some((mark) => left <= mark && mark < before)) {
      this.#event.said.value = t().basket.timeLeft(left);
    }
  }

  #clear(working: "holding" | "booking" | "releasing"): void {
    this.working.value = working;
    this.refusal.value = null;
    this.message.value = "";
    this.#event.losses.value = [];
  }

  #tell(message: string): void {
    this.message.value = message;
  }
}
