/**
 * The server's clock, read off the `Date` of its answers.
 *
 * A `Date` of 20:15:07 was written between 20:15:07.000 and 20:15:07.999, after the request was sent and before its
 * answer came. Each answer narrows it down. The visitor's own clock is used for how long something took only, as it
 * may be wrong by hours and may be set while the page is open.
 */

export interface Clock {
  observe(date: string | null, sentAt: number, receivedAt: number): void;
  /** Milliseconds since 1970, or null before the first answer. Never behind the server's clock. */
  now(at: number): number | null;
}

export function serverClock(): Clock {
  // The server's time is at most this much ahead of ours.
  let ahead: number | null = null;
  return {
    observe(date, sentAt) {
      const written = date === null ? Number.NaN : Date.parse(date);
      if (Number.isNaN(written)) return;
      const bound = written + 1000 - sentAt;
      // A countdown by the tighter bound shows more time than one by the wider, and never more than there is.
      ahead = ahead === null ? bound : Math.min(ahead, bound);
    },
    now: (at) => (ahead === null ? null : at + ahead),
  };
}

const clock = serverClock();
export const observe = clock.observe;

/** The server's time in milliseconds since 1970, as well as it is known. */
export function serverNow(): number {
  return clock.now(performance.now()) ?? Date.now();
}

/** Whole seconds until an instant that the server has named; 0 when it is over. */
export function secondsUntil(instant: string): number {
  const now = clock.now(performance.now());
  return now === null ? 0 : Math.max(0, Math.floor((Date.parse(instant) - now) / 1000));
}
