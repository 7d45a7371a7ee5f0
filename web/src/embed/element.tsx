import { effect, signal } from "@preact/signals";
import { render } from "preact";
import { apiAt } from "../api/client.ts";
import { EventStore, VISITORS_CHOICE } from "../event/store.ts";
import { FREE } from "../map/drawing.ts";
import { bestLanguage } from "../texts/choice.ts";
import { languages, learn } from "../texts/index.ts";
import { type HeldDetail, lostSeats, type Refused, type SeatDetail, seatDetail } from "./details.ts";
import { Holding, type Token } from "./holding.ts";
import style from "./seat_map.css?inline";
import { Widget } from "./widget.tsx";

const SERVER = new URL(import.meta.url).origin;
const PROPERTIES = ["token", "event", "server", "language", "theme", "chosen"] as const;

let sheet: CSSStyleSheet | null = null;

function styled(): CSSStyleSheet {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
  }
  return sheet;
}

interface Running {
  /** What it is of: an event and a server. */
  of: string;
  /** Whether there are texts by now. */
  speaks: boolean;
  store: EventStore;
  holding: Holding;
  stop(): void;
}

/** `<overbookr-seat-map event="...">`; docs/embedding.md says what it takes and what it tells. */
export class SeatMapElement extends HTMLElement {
  static readonly observedAttributes = ["event", "server", "language", "theme"];
  readonly #root = this.attachShadow({ mode: "open" });
  readonly #token = signal<Token | null>(null);
  #running: Running | null = null;
  #isDue = false;
  /** The labels to be chosen as soon as it is known what the seats are. */
  #wished: string[] | null = null;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styled()];
  }

  /** An access token of the API, or what gives one whenever one is needed. With it the element holds seats itself. */
  get token(): Token | null {
    return this.#token.value;
  }

  set token(token: Token | null) {
    this.#token.value = token;
  }

  get event(): string {
    return this.getAttribute("event") ?? "";
  }

  set event(id: string) {
    this.setAttribute("event", id);
  }

  /** The origin of the Overbookr that is asked: where this script comes from, unless told otherwise. */
  get server(): string {
    return this.getAttribute("server")?.replace(/\/+$/, "") || SERVER;
  }

  set server(origin: string) {
    this.setAttribute("server", origin);
  }

  get language(): string {
    const liked = [this.getAttribute("language") ?? "", document.documentElement.lang, ...navigator.languages];
    return bestLanguage(liked, languages);
  }

  set language(tag: string) {
    this.setAttribute("language", tag);
  }

  get theme(): string {
    return this.getAttribute("theme") ?? "auto";
  }

  set theme(theme: string) {
    this.setAttribute("theme", theme);
  }

  /** The labels of the seats that are chosen. What is set is chosen as far as it is free, once that is known. */
  get chosen(): string[] {
    const store = this.#running?.store;
    return this.#wished ?? (store ? store.labelsOf(store.chosen.value) : []);
  }

  set chosen(labels: string[]) {
    this.#wished = [...labels];
    this.#grant();
  }

  /** Ask for the chosen seats. What was held, or null; then `lost` or `refused` has said why. */
  async hold(): Promise<HeldDetail | null> {
    return (await this.#running?.holding.place()) ?? null;
  }

  /** Let go of what is held. */
  async release(): Promise<boolean> {
    return (await this.#running?.holding.release()) ?? true;
  }

  /** Forget what was chosen and held here, once it is booked for instance. The server is told nothing. */
  clear(): void {
    this.#wished = null;
    this.#running?.holding.forget();
    this.#running?.store.choose(new Set());
  }

  connectedCallback(): void {
    // What was set on the element before it was one lies over its accessors.
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
    this.#begin();
  }

  disconnectedCallback(): void {
    this.#begin();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now || !this.isConnected) return;
    if (name === "event" || name === "server") this.#begin();
    else if (name === "theme") this.#paint();
    else if (this.#running !== null) void learn(this.language);
  }

  /** With what the attributes say by then: several are often set together. An element that is only moved goes on. */
  #begin(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      const wanted = this.isConnected && this.event !== "" ? `${this.event} ${this.server}` : null;
      if (wanted === (this.#running?.of ?? null)) return this.#grant();
      this.#end();
      if (wanted !== null) this.#run(wanted);
    });
  }

  #end(): void {
    this.#running?.stop();
    this.#running = null;
    render(null, this.#root);
  }

  #run(of: string): void {
    const at = { api: apiAt(this.server), origin: this.server };
    const store = new EventStore(this.event, VISITORS_CHOICE, at);
    const holding = new Holding(store, at.api, this.#token, {
      held: (detail) => this.#tell("held", detail),
      refused: (detail) => this.#tell("refused", detail),
      lapsed: (detail) => this.#tell("lapsed", detail),
    });
    const ends = this.#listen(store);
    const running: Running = {
      of,
      speaks: false,
      store,
      holding,
      stop: () => {
        for (const end of ends) end();
        holding.forget();
        store.stop();
      },
    };
    this.#running = running;
    void learn(this.language).then(() => {
      if (this.#running !== running) return;
      running.speaks = true;
      this.#paint();
      void store.start();
    });
  }

  /** Choose what was wished for, unless the event is about to be another one, or nothing is known of it yet. */
  #grant(): void {
    const store = this.#running?.store;
    const statuses = store?.known.value?.statuses;
    if (this.#wished === null || this.#isDue || !store || !statuses) return;
    const wished = store.seatsOf(this.#wished);
    this.#wished = null;
    // Nothing else is chosen while seats are held.
    if (store.mine.peek().size === 0) store.choose(new Set([...wished].filter((seat) => statuses[seat] === FREE)));
  }

  #listen(store: EventStore): (() => void)[] {
    let chosen = "";
    let lost = new Set<number>();
    return [
      effect(() => {
        if (store.known.value !== null && store.hall.value !== null) this.#grant();
      }),
      effect(() => {
        const seats = store.hall.value === null ? [] : [...store.chosen.value].sort((one, other) => one - other);
        const now = store.labelsOf(seats).join("\n");
        if (now === chosen) return;
        chosen = now;
        this.#tell("chosen", { seats: seats.map((seat) => seatDetail(store, seat)) });
      }),
      effect(() => {
        const { value: losses } = store.losses;
        const news = lostSeats(store, losses, lost);
        lost = new Set(losses.map(({ seat }) => seat));
        if (news.length > 0) this.#tell("lost", { seats: news });
      }),
    ];
  }

  #paint(): void {
    const running = this.#running;
    if (!running?.speaks) return;
    const { store, holding } = running;
    // Another theme is other colours on the canvas, so it is another one.
    const again = () => {
      this.#end();
      this.#begin();
    };
    render(<Widget key={this.theme} store={store} holding={holding} token={this.#token} again={again} />, this.#root);
  }

  #tell(
    name: string,
    detail: HeldDetail | Refused | { seats: SeatDetail[] } | { seats: { status: string }[] } | { hold_token: string },
  ): void {
    // After the signals have settled: whoever listens may change what is chosen.
    queueMicrotask(() => this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true })));
  }
}

if (!customElements.get("overbookr-seat-map")) customElements.define("overbookr-seat-map", SeatMapElement);
