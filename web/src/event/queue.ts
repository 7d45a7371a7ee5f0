import { effect, type Signal, signal } from "@preact/signals";
import { api, type Booking, type Place } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { user } from "../session/session.ts";
import type { EventStore } from "./store.ts";

const LOOK_MILLISECONDS = 10_000;
const SOON_MILLISECONDS = 300;

/** The visitor's place on the waitlist, and what comes of it. */
export class Queue {
  readonly place: Signal<Place | null> = signal(null);
  readonly promoted: Signal<Booking | null> = signal(null);
  readonly refusal: Signal<Refusal | null> = signal(null);
  readonly hasLeft = signal(false);
  readonly #event: EventStore;
  readonly #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(event: EventStore) {
    this.#event = event;
    const ends = [
      effect(() => {
        if (user.value === null) this.place.value = null;
        else if (event.event.value !== null) void this.look();
      }),
      // Whenever seats change hands the place may be another one, or nobody waits any more.
      effect(() => {
        if (event.known.value !== null && this.place.peek() !== null) this.#lookIn(SOON_MILLISECONDS);
      }),
    ];
    this.#stop.signal.addEventListener("abort", () => {
      for (const end of ends) end();
      clearTimeout(this.#timer);
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  async join(seats: number): Promise<void> {
    this.refusal.value = null;
    this.hasLeft.value = false;
    this.promoted.value = null;
    const path = { event_id: this.#event.id };
    const body = { requested_seats: seats };
    const result = await resultOf(api.POST("/events/{event_id}/waitlist", { params: { path }, body }));
    if (!result.ok && result.refusal.code !== "already_waiting") this.refusal.value = result.refusal;
    await this.look();
  }

  async leave(): Promise<void> {
    this.refusal.value = null;
    const path = { event_id: this.#event.id };
    const result = await resultOf(api.DELETE("/events/{event_id}/waitlist/me", { params: { path } }));
    if (result.ok) {
      this.place.value = null;
      this.hasLeft.value = true;
    } else if (result.refusal.code === "waitlist_entry_not_found") await this.look();
    else this.refusal.value = result.refusal;
  }

  async look(): Promise<void> {
    const path = { event_id: this.#event.id };
    const before = this.place.peek();
    const result = await resultOf(api.GET("/events/{event_id}/waitlist/me", { params: { path } }));
    if (this.#stop.signal.aborted) return;
    if (result.ok) {
      this.place.value = result.value;
      this.#lookIn(LOOK_MILLISECONDS);
    } else if (result.refusal.code === "waitlist_entry_not_found") {
      this.place.value = null;
      if (before !== null) this.promoted.value = await this.#bookingSince(before);
    } else if (before !== null) this.#lookIn(LOOK_MILLISECONDS);
  }

  /** The newest booking of this event, if it was made after joining. */
  async #bookingSince(place: Place): Promise<Booking | null> {
    const result = await resultOf(api.GET("/bookings", { params: { query: { limit: 20 } } }));
    if (!result.ok) return null;
    const isOfPlace = (booking: Booking) =>
      booking.event_id === this.#event.id && Date.parse(booking.created_at) >= Date.parse(place.created_at);
    return result.value.find(isOfPlace) ?? null;
  }

  #lookIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.look(), milliseconds);
  }
}
