import { t } from "../texts/index.ts";
import type { EventStore } from "./store.ts";

/** Seats that were chosen and that somebody else has now, read out at once. */
export function Losses({ store }: { store: EventStore }) {
  const { lost } = t();
  return (
    <div role="alert">
      {store.losses.value.length > 0 && (
        <div class="notice">
          <strong>{lost.heading}</strong>
          <ul>
            {store.losses.value.map(({ seat, status }) => (
              <li key={seat}>{lost[status](store.nameOf(seat))}</li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
