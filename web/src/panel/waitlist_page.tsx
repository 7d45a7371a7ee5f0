import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type Event } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import type { components } from "../api/schema.d.ts";
import { Notice } from "../parts/notice.tsx";
import { shown } from "../texts/index.ts";
import { p } from "./texts/index.ts";

type Waiting = components["schemas"]["QueuedUser"];

const PAGE = 50;

/** Who waits for seats of an event, in the order in which they are served. Asked again when the queue has changed. */
export function WaitlistPage({ event }: { event: Signal<Event> }) {
  const { waitlist, seats, number, more } = p();
  const { id, waiting_count, version } = event.value;
  const waiting = useSignal<Waiting[] | null>(null);
  const wanted = useSignal(PAGE);
  const refusal = useSignal<Refusal | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the counts say when there is something new to ask for.
  useEffect(() => {
    let isCurrent = true;
    const ask = async () => {
      const found: Waiting[] = [];
      for (let offset = 0; offset < wanted.value; offset += PAGE) {
        const params = { path: { event_id: id }, query: { limit: PAGE, offset } };
        const result = await resultOf(api.GET("/events/{event_id}/waitlist", { params }));
        if (!isCurrent) return;
        refusal.value = result.ok ? null : result.refusal;
        if (!result.ok) return;
        found.push(...result.value);
        if (result.value.length < PAGE) break;
      }
      waiting.value = found;
    };
    void ask();
    return () => {
      isCurrent = false;
    };
  }, [id, waiting_count, version, wanted.value]);
  return (
    <section>
      <h2>{waitlist.heading}</h2>
      <p role="status" class="quiet">
        {waiting_count === 0 ? waitlist.none : waitlist.count(waiting_count)}
      </p>
      <Notice refusal={refusal.value} />
      {waiting.value !== null && waiting.value.length > 0 && (
        <table class="list">
          <thead>
            <tr>
              <th scope="col" class="figure">
                {waitlist.place}
              </th>
              <th scope="col">{waitlist.who}</th>
              <th scope="col">{waitlist.wants}</th>
              <th scope="col">{waitlist.since}</th>
            </tr>
          </thead>
          <tbody>
            {waiting.value.map((entry) => (
              <tr key={entry.id}>
                <td class="figure" data-label={waitlist.place}>
                  {number(entry.position)}
                </td>
                <th scope="row">
                  {entry.name ?? p().bookings.gone}
                  <span class="quiet">{entry.email}</span>
                </th>
                <td data-label={waitlist.wants}>{seats(entry.requested_seats)}</td>
                <td data-label={waitlist.since}>
                  <time dateTime={entry.created_at}>
                    {shown(entry.created_at, { dateStyle: "medium", timeStyle: "medium" })}
                  </time>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {waiting.value !== null && waiting.value.length < waiting_count && waiting.value.length >= wanted.value && (
        <button
          type="button"
          class="button"
          onClick={() => {
            wanted.value += PAGE;
          }}
        >
          {more}
        </button>
      )}
    </section>
  );
}
