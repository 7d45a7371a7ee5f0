/** What the seats are, and how messages of the stream change it. */

export const AVAILABLE = 0;
export const HELD = 1;
export const BOOKED = 2;
export const BLOCKED = 3;
const CODE_OF: Record<string, number> = { available: AVAILABLE, held: HELD, booked: BOOKED, blocked: BLOCKED };
export const STATUS_NAMES = ["available", "held", "booked", "blocked"] as const;

export interface Availability {
  version: number;
  chartVersion: number;
  available: number;
  statuses: Uint8Array;
}

/** `availability?form=compact`, and the data of a `reset`. */
export interface CompactMessage {
  version: number;
  chart_version: number;
  available: number;
  seats: number;
  states: string;
}

/** The data of `seats`: what these seats are now. */
export interface SeatsMessage {
  version: number;
  available: number;
  seats: Record<string, string>;
}

/** Two bits a seat, four seats a byte, the first of them in its lowest bits. */
export function unpack(states: string, count: number): Uint8Array {
  const packed = atob(states);
  const statuses = new Uint8Array(count);
  for (let seat = 0; seat < count; seat++) {
    statuses[seat] = (packed.charCodeAt(seat >> 2) >> ((seat & 3) * 2)) & 3;
  }
  return statuses;
}

export function begun(message: CompactMessage): Availability {
  return {
    version: message.version,
    chartVersion: message.chart_version,
    available: message.available,
    statuses: unpack(message.states, message.seats),
  };
}

/** The next state, or null when it cannot be told from these seats: then the whole map is needed. */
export function advanced(
  known: Availability,
  message: SeatsMessage,
  indexOf: Map<string, number>,
): Availability | null {
  const statuses = known.statuses.slice();
  for (const [label, status] of Object.entries(message.seats)) {
    const seat = indexOf.get(label);
    const code = CODE_OF[status];
    if (seat === undefined || code === undefined || seat >= statuses.length) return null;
    statuses[seat] = code;
  }
  return { ...known, version: message.version, available: message.available, statuses };
}

/** Which of the chosen seats may be chosen no longer. */
export function lostSeats(
  chosen: Iterable<number>,
  statuses: Uint8Array,
  may: (status: number) => boolean = (status) => status === AVAILABLE,
): number[] {
  return [...chosen].filter((seat) => !may(statuses[seat] as number));
}

/** How many seats of each section are free. */
export function freeBySection(statuses: Uint8Array, sections: { first: number; end: number }[]): number[] {
  return sections.map(({ first, end }) => {
    let free = 0;
    for (let seat = first; seat < end; seat++) if (statuses[seat] === AVAILABLE) free += 1;
    return free;
  });
}
