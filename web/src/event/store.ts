import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Api, api, type Event } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import {
  type Availability,
  advanced,
  begun,
  type CompactMessage,
  freeBySection,
  lostSeats,
} from "../map/availability.ts";
import { type Chart, plainChart, withFurtherSeats } from "../map/chart.ts";
import { CHOSEN, FREE, LOST, MINE } from "../map/drawing.ts";
import { type Hall, hallOf } from "../map/hall.ts";
import { type Message, watch } from "../map/stream.ts";
import { keep, kept } from "../parts/keeping.ts";
import { t } from "../texts/index.ts";

const LOOK_MILLISECONDS = 30_000;

export interface Loss {
  seat: number;
  status: "held" | "booked" | "blocked";
}

/** What may be chosen here, and where the choice is remembered. */
export interface Choice {
  may(status: number): boolean;
  isKept: boolean;
}

export const VISITORS_CHOICE: Choice = { may: (status) => status === FREE, isKept: true };

/** What is known of one event while its page is open: the house, what its seats are, and what the visitor chose. */
export class EventStore {
  readonly id: string;
  readonly event: Signal<Event | null> = signal(null);
  readonly refusal: Signal<Refusal | null> = signal(null);
  readonly hall: Signal<Hall | null> = signal(null);
  readonly known: Signal<Availability | null> = signal(null);
  readonly isLive = signal(false);
  readonly chosen: Signal<ReadonlySet<number>> = signal(new Set<number>());
  /** Seats that are held for this visitor. */
  readonly mine: Signal<ReadonlySet<number>> = signal(new Set<number>());
  /** Whether the chosen seats are being asked for: if somebody has them now, it may be this visitor. */
  readonly isAsking = signal(false);
  readonly losses: Signal<Loss[]> = signal([]);
  /** What was last said to those who cannot see it. */
  readonly said = signal("");
  readonly looks: ReadonlySignal<Uint8Array>;
  readonly free: ReadonlySignal<number[]>;
  readonly #choice: Choice;
  readonly #stop = new AbortController();
  readonly #api: Api;
  readonly #origin: string;
  #stream: { anew(): void } | null = null;

  /** `at`: where the server is, if that is not where the page comes from. */
  constructor(id: string, choice: Choice = VISITORS_CHOICE, at: { api: Api; origin: string } = { api, origin: "" }) {
    this.id = id;
    this.#choice = choice;
    this.#api = at.api;
    this.#origin = at.origin;
    this.looks = computed(() => this.#looks());
    this.free = computed(() =>
      freeBySection(this.known.value?.statuses ?? new Uint8Array(), this.hall.value?.sections ?? []),
    );
    effect(() => {
      const { value: known } = this.known;
      if (known !== null && this.hall.value !== null && !this.isAsking.value) this.#loseTaken(known);
    });
  }

  async start(): Promise<void> {
    await this.look();
    if (this.event.value === null || this.#stop.signal.aborted) return;
    await this.#draw();
    const address = `${this.#origin}/events/${encodeURIComponent(this.id)}/stream`;
    const listener = {
      message: (message: Message) => this.hear(message),
      live: (isLive: boolean) => this.#live(isLive),
    };
    this.#stream = watch(address, listener, this.#stop.signal);
    const timer = setInterval(() => void this.look(), LOOK_MILLISECONDS);
    this.#stop.signal.addEventListener("abort", () => clearInterval(timer));
  }

  stop(): void {
    this.#stop.abort();
  }

  /** The event itself: whether it is on sale, and how many wait. */
  async look(): Promise<void> {
    const result = await resultOf(this.#api.GET("/events/{event_id}", { params: { path: { event_id: this.id } } }));
    if (result.ok) this.event.value = result.value;
    else if (this.event.value === null || result.refusal.code === "event_not_found")
      this.refusal.value = result.refusal;
  }

  toggle(seat: number): void {
    const { value: hall } = this.hall;
    if (hall === null || this.mine.value.size > 0) return;
    const chosen = new Set(this.chosen.value);
    if (chosen.delete(seat)) this.said.value = t().basket.unchosen(this.nameOf(seat), chosen.size);
    else {
      if (!this.mayChoose(seat)) return;
      chosen.add(seat);
      this.said.value = t().basket.chosen(this.nameOf(seat), chosen.size);
    }
    this.choose(chosen);
  }

  mayChoose(seat: number): boolean {
    const status = this.known.value?.statuses[seat];
    return status !== undefined && this.#choice.may(status);
  }

  choose(chosen: ReadonlySet<number>): void {
    this.chosen.value = chosen;
    if (this.#choice.isKept) keep(this.#name, chosen.size === 0 ? null : this.labelsOf(chosen));
  }

  nameOf(seat: number): string {
    const { value: hall } = this.hall;
    const section = hall?.sections[hall.section[seat] as number];
    const row = section?.rows.find(({ first, end }) => first <= seat && seat < end);
    if (hall === null || section === undefined || row === undefined) return "";
    // Seats that have a label and no place are called by their label.
    return hall.numbers[seat] === hall.labels[seat]
      ? (hall.labels[seat] as string)
      : t().seat(section.name, row.name, hall.numbers[seat] as string);
  }

  labelsOf(seats: Iterable<number>): string[] {
    return [...seats].sort((one, other) => one - other).map((seat) => this.hall.value?.labels[seat] as string);
  }

  seatsOf(labels: Iterable<string>): Set<number> {
    const found = [...labels].map((label) => this.hall.value?.indexOf.get(label));
    return new Set(found.filter((seat) => seat !== undefined));
  }

  /** Seats that a hold was refused for: they are chosen no more, and it is said what became of them. */
  lose(losses: Loss[]): void {
    const gone = new Set(losses.map(({ seat }) => seat));
    batch(() => {
      this.losses.value = [...this.losses.value.filter(({ seat }) => !gone.has(seat)), ...losses];
      this.choose(new Set([...this.chosen.value].filter((seat) => !gone.has(seat))));
    });
  }

  hear(message: Message): void {
    const { value: hall } = this.hall;
    const data = JSON.parse(message.data);
    if (message.type === "reset") {
      const known = begun(data as CompactMessage);
      const isRearranged = this.known.value !== null && known.chartVersion !== this.known.value.chartVersion;
      // Another chart, or other seats than were listed: the house is drawn anew, and what was chosen is looked up in it.
      if (isRearranged || known.statuses.length !== hall?.count) void this.#draw().then(() => this.#take(known));
      else this.#take(known);
    } else if (message.type === "seats" && hall !== null && this.known.value !== null) {
      const next = advanced(this.known.value, data, hall.indexOf);
      if (next === null) this.#stream?.anew();
      else this.known.value = next;
    }
  }

  #take(known: Availability): void {
    batch(() => {
      // What was chosen before the page was loaded anew is chosen still, as far as it is free.
      if (this.known.value === null && this.#choice.isKept)
        this.chosen.value = this.seatsOf(kept<string[]>(this.#name) ?? []);
      this.known.value = known;
    });
  }

  #live(isLive: boolean): void {
    this.isLive.value = isLive;
    if (!isLive && !document.hidden) void this.#askForMap();
  }

  /** While there is no stream, the map is asked for: somebody may let us through that and nothing else. */
  async #askForMap(): Promise<void> {
    const path = { event_id: this.id };
    const result = await resultOf(
      this.#api.GET("/events/{event_id}/availability", { params: { path, query: { form: "compact" } } }),
    );
    if (result.ok && !this.isLive.value && "states" in result.value) {
      this.hear({ type: "reset", data: JSON.stringify(result.value), id: "" });
    }
  }

  get #name(): string {
    return `overbookr.chosen.${this.id}`;
  }

  async #draw(): Promise<void> {
    const path = { event_id: this.id };
    const chart = await resultOf(this.#api.GET("/events/{event_id}/chart", { params: { path } }));
    if (!chart.ok && chart.refusal.code !== "chart_not_found") {
      this.refusal.value = chart.refusal;
      return;
    }
    let drawn = chart.ok ? (chart.value as unknown as Chart) : null;
    const placed = drawn?.sections.flatMap(({ rows }) => rows).reduce((sum, row) => sum + row.seats.length, 0) ?? 0;
    // Seats that were added by their labels have no place on the chart.
    if (placed !== this.event.value?.seats_count) {
      const listed = await resultOf(this.#api.GET("/events/{event_id}/seats", { params: { path } }));
      if (listed.ok) {
        const { allSeats, furtherSeats } = t().event;
        drawn =
          drawn === null ? plainChart(listed.value, allSeats) : withFurtherSeats(drawn, listed.value, furtherSeats);
      }
    }
    const chosen = this.hall.value === null ? [] : this.labelsOf(this.chosen.value);
    const mine = this.hall.value === null ? [] : this.labelsOf(this.mine.value);
    batch(() => {
      this.hall.value = drawn === null ? null : hallOf(drawn);
      this.chosen.value = this.seatsOf(chosen);
      this.mine.value = this.seatsOf(mine);
    });
  }

  #loseTaken(known: Availability): void {
    const lost = lostSeats(this.chosen.peek(), known.statuses, this.#choice.may);
    if (lost.length === 0) return;
    const names = ["held", "held", "booked", "blocked"] as const;
    this.lose(lost.map((seat) => ({ seat, status: names[known.statuses[seat] as number] as Loss["status"] })));
  }

  #looks(): Uint8Array {
    const count = this.hall.value?.count ?? 0;
    const looks = new Uint8Array(count);
    looks.set((this.known.value?.statuses ?? new Uint8Array()).subarray(0, count));
    for (const { seat } of this.losses.value) if (looks[seat] !== FREE) looks[seat] = LOST;
    for (const seat of this.chosen.value) looks[seat] = CHOSEN;
    for (const seat of this.mine.value) looks[seat] = MINE;
    return looks;
  }
}
