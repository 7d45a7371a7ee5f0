import { api, type Event } from "../api/client.ts";
import { resultOf } from "../api/problem.ts";

const asked = new Map<string, Promise<Event | null>>();

/** The event of a booking, asked for once; null when it has been taken down. */
export function eventOf(id: string): Promise<Event | null> {
  const known = asked.get(id);
  if (known !== undefined) return known;
  const asking = resultOf(api.GET("/events/{event_id}", { params: { path: { event_id: id } } })).then((result) => {
    if (!result.ok) asked.delete(id);
    return result.ok ? result.value : null;
  });
  asked.set(id, asking);
  return asking;
}
