import { useSignal } from "@preact/signals";
import { useCallback, useEffect, useMemo } from "preact/hooks";
import { Legend } from "../event/legend.tsx";
import { MapView } from "../event/map_view.tsx";
import { SeatList } from "../event/seat_list.tsx";
import { AVAILABLE, BLOCKED } from "../map/availability.ts";
import type { SeatMap } from "../map/seat_map.ts";
import { Notice, Said } from "../parts/notice.tsx";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { t } from "../texts/index.ts";
import { Blocking } from "./blocking.ts";
import { marquee } from "./marquee.ts";
import { p } from "./texts/index.ts";

/** Seats are blocked and unblocked: one by one, by rectangles and rows, on the map or from the list. */
export function SeatingPage({ id }: { id: string }) {
  const { seating, event: texts } = p();
  const blocking = useMemo(() => new Blocking(id), [id]);
  const { store } = blocking;
  const isDragging = useSignal(false);
  useEffect(() => {
    void store.start();
    return () => store.stop();
  }, [store]);
  const drawn = useCallback(
    (map: SeatMap, canvas: HTMLCanvasElement) =>
      marquee(
        map,
        canvas,
        () => isDragging.peek(),
        (seats) => blocking.add(seats),
      ),
    [blocking, isDragging],
  );
  const { value: hall } = store.hall;
  const isEmpty = store.known.value?.statuses.length === 0;
  return (
    <section class="event seating">
      <header class="seating-head">
        <h2>{seating.heading}</h2>
        <p class="quiet">{seating.text}</p>
        <Notice refusal={store.refusal.value} />
      </header>
      {hall === null && !isEmpty && <p class="quiet">{t().event.loading}</p>}
      {isEmpty && (
        <p>
          {texts.noSeats} <Link to={paths.panel(`event/${id}/plan`)}>{texts.importPlan}</Link>
        </p>
      )}
      {hall !== null && hall.count > 0 && (
        <>
          <div class={isDragging.value ? "house dragging" : "house"}>
            <MapView store={store} hall={hall} drawn={drawn} />
            <p class="map-tool">
              <label class="check">
                <input
                  type="checkbox"
                  checked={isDragging.value}
                  onChange={({ currentTarget }) => {
                    isDragging.value = currentTarget.checked;
                  }}
                />
                {seating.rectangle}
              </label>
              <span class="quiet wide-only">{seating.rectangleHint}</span>
            </p>
            <Legend store={store} states={["chosen", "held", "sold", "blocked"]} />
          </div>
          <aside class="side">
            <Chosen blocking={blocking} />
          </aside>
          <SeatList
            store={store}
            hall={hall}
            beside={(row) => (
              <button type="button" class="plain whole-row" onClick={() => blocking.addRow(row)}>
                {seating.row}
                <span class="unseen"> {row.name}</span>
              </button>
            )}
          />
        </>
      )}
      <Said>{store.said.value}</Said>
    </section>
  );
}

function Chosen({ blocking }: { blocking: Blocking }) {
  const { seating, seats } = p();
  const reason = useSignal("");
  const free = blocking.chosenThatAre(AVAILABLE).length;
  const blocked = blocking.chosenThatAre(BLOCKED).length;
  const isWorking = blocking.work.value !== null;
  const { value: losses } = blocking.store.losses;
  return (
    <section class="basket" aria-labelledby="chosen-heading">
      <h2 id="chosen-heading">{seating.chosen}</h2>
      {free + blocked === 0 ? (
        <p class="quiet">{seating.nothing}</p>
      ) : (
        <p>
          <strong>{seats(free + blocked)}</strong> <span class="quiet">{seating.selection(free, blocked)}</span>
        </p>
      )}
      <p role="status" class={blocking.said.value === "" ? "unseen" : "notice good"}>
        {blocking.said.value}
      </p>
      <div role="alert">
        {losses.length > 0 && <p class="notice">{seating.lost(losses.length)}</p>}
        {blocking.conflicts.value.length > 0 && (
          <div class="notice">
            {seating.conflicts}
            <ul class="labels">
              {blocking.conflicts.value.map((label) => (
                <li key={label}>{label}</li>
              ))}
            </ul>
          </div>
        )}
      </div>
      <Notice refusal={blocking.refusal.value} />
      {blocking.work.value !== null && (
        <p>
          <progress value={blocking.work.value.done} max={blocking.work.value.of} aria-label={seating.heading} />{" "}
          {seating.working(blocking.work.value.done, blocking.work.value.of)}
        </p>
      )}
      {free + blocked > 0 && (
        <div class="act">
          {free > 0 && (
            <div class="field">
              <label for="reason">{`${seating.reason} (${p().form.optional})`}</label>
              <input
                id="reason"
                maxLength={500}
                value={reason.value}
                onInput={({ currentTarget }) => {
                  reason.value = currentTarget.value;
                }}
              />
            </div>
          )}
          {free > 0 && (
            <button
              type="button"
              class="button main"
              aria-disabled={isWorking}
              onClick={() => void blocking.change("block", reason.value)}
            >
              {seating.block(free)}
            </button>
          )}
          {blocked > 0 && (
            <button
              type="button"
              class={free > 0 ? "button" : "button main"}
              aria-disabled={isWorking}
              onClick={() => void blocking.change("unblock", "")}
            >
              {seating.unblock(blocked)}
            </button>
          )}
          <button type="button" class="button" aria-disabled={isWorking} onClick={() => blocking.clear()}>
            {seating.clear}
          </button>
        </div>
      )}
    </section>
  );
}
