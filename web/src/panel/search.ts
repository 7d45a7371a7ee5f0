/** What somebody types to find a booking: its reference, an e-mail, or else a seat. */
export interface Sought {
  booking_id?: string;
  email?: string;
  seat_no?: string;
  event_id?: string;
}

const REFERENCE = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** Null when a seat is sought and nobody said at which event. */
export function soughtBy(words: string, eventId: string): Sought | null {
  const text = words.trim();
  const event = eventId === "" ? {} : { event_id: eventId };
  if (text === "") return event;
  // A reference is one of all, whatever event is chosen.
  if (REFERENCE.test(text)) return { booking_id: text.toLowerCase() };
  if (text.includes("@")) return { email: text, ...event };
  return eventId === "" ? null : { seat_no: text, ...event };
}
