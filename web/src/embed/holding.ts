import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Api } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { secondsUntil } from "../api/server_clock.ts";
import type { EventStore } from "../event/store.ts";
import { Wish } from "../event/wish.ts";
import type { HeldDetail, Refused } from "./details.ts";

export type Token = string | (() => string | Promise<string>);

export interface HoldListener {
  held(detail: HeldDetail): void;
  refused(detail: Refused): void;
  /** The hold's time is over. */
  lapsed(detail: { hold_token: string }): void;
}

/** Seats held with the token of whoever embeds the map. What becomes of the hold is theirs to say. */
export class Holding {
  readonly held: Signal<HeldDetail | null> = signal(null);
  readonly isWorking = signal(false);
  readonly refusal: Signal<Refusal | null> = signal(null);
  readonly #event: EventStore;
  readonly #api: Api;
  readonly #token: ReadonlySignal<Token | null>;
  readonly #listener: HoldListener;
  readonly #wish: Wish;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(event: EventStore, api: Api, token: ReadonlySignal<Token | null>, listener: HoldListener) {
    this.#event = event;
    this.#api = api;
    this.#token = token;
    this.#listener = listener;
    this.#wish = new Wish(event, api);
  }

  async place(): Promise<HeldDetail | null> {
    if (this.isWorking.value || this.held.value !== null || this.#event.chosen.value.size === 0) return null;
    this.isWorking.value = true;
    this.refusal.value = null;
    this.#event.losses.value = [];
    let held: HeldDetail | null = null;
    const refusal = await this.#wish.ask(
      (hold) => {
        held = { ...hold, expires_at: String(hold.expires_at) };
        this.#begin(held);
      },
      await this.#headers(),
    );
    this.isWorking.value = false;
    if (held !== null) this.#listener.held(held);
    if (refusal === null) return held;
    // Seats that are gone are told as lost.
    if (refusal.code !== "seats_unavailable") this.refusal.value = refusal;
    const { code, detail, retryAfter } = refusal;
    this.#listener.refused({ code, detail, retry_after: retryAfter });
    return null;
  }

  /** Whether it is over now. */
  async release(): Promise<boolean> {
    const { value: held } = this.held;
    if (held === null) return true;
    const path = { hold_token: held.hold_token };
    const headers = await this.#headers();
    const result = await resultOf(this.#api.DELETE("/holds/{hold_token}", { params: { path }, headers }));
    const isOver = result.ok || ["hold_over", "hold_not_found"].includes(result.refusal.code);
    if (isOver) this.forget();
    else if (!result.ok) this.refusal.value = result.refusal;
    return isOver;
  }

  forget(): void {
    clearTimeout(this.#timer);
    if (this.held.value === null) return;
    this.held.value = null;
    this.#event.mine.value = new Set();
  }

  #begin(held: HeldDetail): void {
    this.#event.choose(new Set());
    this.#event.mine.value = this.#event.seatsOf(held.seat_nos);
    this.held.value = held;
    const over = () => {
      this.forget();
      this.#listener.lapsed({ hold_token: held.hold_token });
    };
    this.#timer = setTimeout(over, secondsUntil(held.expires_at) * 1000);
  }

  async #headers(): Promise<Record<string, string>> {
    const { value: token } = this.#token;
    try {
      const text = typeof token === "function" ? await token() : token;
      return text ? { Authorization: `Bearer ${text}` } : {};
    } catch (error) {
      // The site's own fault, which it is told; without a token the server refuses.
      reportError(error);
      return {};
    }
  }
}
