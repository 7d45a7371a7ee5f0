import { type Signal, signal } from "@preact/signals";
import { api } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { EventStore } from "../event/store.ts";
import { AVAILABLE, BLOCKED } from "../map/availability.ts";
import type { Row } from "../map/hall.ts";
import { p } from "./texts/index.ts";

// As many as one request takes.
const SEATS_PER_REQUEST_MAX = 1000;

export interface Work {
  done: number;
  of: number;
}

/** Seats that an organiser has chosen, and taking them off sale or putting them back. */
export class Blocking {
  readonly store: EventStore;
  readonly work: Signal<Work | null> = signal(null);
  readonly refusal: Signal<Refusal | null> = signal(null);
  readonly conflicts: Signal<string[]> = signal([]);
  readonly said = signal("");

  constructor(eventId: string) {
    const may = (status: number) => status === AVAILABLE || status === BLOCKED;
    this.store = new EventStore(eventId, { may, isKept: false });
  }

  chosenThatAre(status: number): number[] {
    const statuses = this.store.known.value?.statuses;
    return [...this.store.chosen.value].filter((seat) => statuses?.[seat] === status);
  }

  /** More seats are chosen; or fewer, when all of them are already. */
  add(seats: number[]): void {
    const possible = seats.filter((seat) => this.store.mayChoose(seat));
    const chosen = new Set(this.store.chosen.value);
    const isAll = possible.length > 0 && possible.every((seat) => chosen.has(seat));
    for (const seat of possible) {
      if (isAll) chosen.delete(seat);
      else chosen.add(seat);
    }
    this.store.choose(chosen);
    this.said.value = p().seating.picked(chosen.size);
  }

  addRow(row: Row): void {
    this.add(Array.from({ length: row.end - row.first }, (_, at) => row.first + at));
  }

  clear(): void {
    this.store.choose(new Set());
  }

  async change(kind: "block" | "unblock", reason: string): Promise<void> {
    if (this.work.value !== null) return;
    const labels = this.store.labelsOf(this.chosenThatAre(kind === "block" ? AVAILABLE : BLOCKED));
    this.refusal.value = null;
    this.conflicts.value = [];
    this.said.value = "";
    this.store.losses.value = [];
    for (let done = 0; done < labels.length; done += SEATS_PER_REQUEST_MAX) {
      this.work.value = { done, of: labels.length };
      const part = labels.slice(done, done + SEATS_PER_REQUEST_MAX);
      if (!(await this.#changePart(kind, part, reason))) {
        this.work.value = null;
        return;
      }
    }
    this.work.value = null;
    this.said.value = p().seating[kind === "block" ? "blocked" : "unblocked"](labels.length);
  }

  /** Whether it was done. All seats of a part change or none; asking again for what is so already changes nothing. */
  async #changePart(kind: "block" | "unblock", seat_nos: string[], reason: string): Promise<boolean> {
    const params = { path: { event_id: this.store.id } };
    const body = { seat_nos, reason: reason.trim() === "" ? null : reason.trim() };
    const result = await resultOf(
      kind === "block"
        ? api.POST("/events/{event_id}/seats/block", { params, body })
        : api.POST("/events/{event_id}/seats/unblock", { params, body }),
    );
    if (result.ok) {
      const changed = this.store.seatsOf(seat_nos);
      this.store.choose(new Set([...this.store.chosen.value].filter((seat) => !changed.has(seat))));
      return true;
    }
    if (result.refusal.code === "seats_unavailable") {
      this.conflicts.value = result.refusal.conflicts.map(({ seat_no }) => seat_no);
    } else this.refusal.value = result.refusal;
    return false;
  }
}
