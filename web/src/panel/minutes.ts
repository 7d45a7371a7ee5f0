/** What became of seats in a minute; the counts of stretches of the feed add up. */
export interface Counts {
  held: number;
  booked: number;
  returned: number;
  promoted: number;
  cancelled: number;
}

export interface Stretch {
  after: number;
  version: number;
  is_whole: boolean;
  minutes: (Counts & { minute: string })[];
}

const MINUTE = 60_000;

/** Sales by minute, put together from stretches: the latest first, then those before it and those that come. */
export class Minutes {
  readonly #counts = new Map<number, Counts>();
  /** From where on this is whole: changes up to `first` are not in it, and none after `last`. */
  first: number | null = null;
  last: number | null = null;

  take({ after, version, minutes }: Stretch): void {
    const isFirst = this.first === null || this.last === null;
    const goesOn = !isFirst && after === this.last;
    const comesBefore = !isFirst && version === this.first;
    // What does not follow has been taken already, by an answer that was quicker.
    if (!isFirst && !goesOn && !comesBefore) return;
    if (isFirst || comesBefore) this.first = after;
    if (isFirst || goesOn) this.last = version;
    for (const { minute, ...counts } of minutes) {
      const at = Date.parse(minute);
      const known = this.#counts.get(at);
      this.#counts.set(at, known === undefined ? counts : added(known, counts));
    }
  }

  /** The earliest minute that something is known of, or null. */
  get earliest(): number | null {
    return this.#counts.size === 0 ? null : Math.min(...this.#counts.keys());
  }

  /** Every minute up to and with that of `now`, in order; nothing happened in those that nothing is known of. */
  range(now: number, count: number): { at: number; counts: Counts }[] {
    const last = Math.floor(now / MINUTE) * MINUTE;
    return Array.from({ length: count }, (_, number) => {
      const at = last - (count - 1 - number) * MINUTE;
      return { at, counts: this.#counts.get(at) ?? nothing() };
    });
  }
}

export function sumOf(minutes: { counts: Counts }[]): Counts {
  return minutes.reduce((sum, { counts }) => added(sum, counts), nothing());
}

function nothing(): Counts {
  return { held: 0, booked: 0, returned: 0, promoted: 0, cancelled: 0 };
}

function added(one: Counts, other: Counts): Counts {
  return {
    held: one.held + other.held,
    booked: one.booked + other.booked,
    returned: one.returned + other.returned,
    promoted: one.promoted + other.promoted,
    cancelled: one.cancelled + other.cancelled,
  };
}
