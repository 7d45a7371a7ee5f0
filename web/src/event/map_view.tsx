import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { STATUS_NAMES } from "../map/availability.ts";
import type { Hall } from "../map/hall.ts";
import { SeatMap } from "../map/seat_map.ts";
import { t } from "../texts/index.ts";
import { priceOf } from "./prices.ts";
import type { EventStore } from "./store.ts";

/** `drawn` may do more with the map, and says how to stop it. */
type MapProperties = { store: EventStore; hall: Hall; drawn?: (map: SeatMap, canvas: HTMLCanvasElement) => () => void };

export function MapView({ store, hall, drawn: more }: MapProperties) {
  const texts = t().event;
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<SeatMap | null>(null);
  const pointed = useSignal(-1);
  useEffect(() => {
    const drawn = new SeatMap(canvas.current as HTMLCanvasElement, hall, {
      seat: (seat) => store.toggle(seat),
      pointed: (seat) => {
        pointed.value = seat;
      },
    });
    drawn.show(store.looks.peek(), store.free.peek());
    map.current = drawn;
    const stop = more?.(drawn, canvas.current as HTMLCanvasElement);
    return () => {
      stop?.();
      drawn.close();
    };
  }, [store, hall, pointed, more]);
  useSignalEffect(() => {
    const [looks, free] = [store.looks.value, store.free.value];
    if (looks.length === store.hall.value?.count) map.current?.show(looks, free);
  });
  return (
    <div class="map">
      <canvas ref={canvas} role="img" aria-label={texts.map} />
      <p class="seat-pointed" aria-hidden="true">
        {pointed.value >= 0 ? <Pointed store={store} hall={hall} seat={pointed.value} /> : null}
      </p>
      <div class="map-bar">
        <p class={store.isLive.value ? "liveness live" : "liveness"} role="status">
          {store.isLive.value ? texts.live : texts.catchingUp}
        </p>
        <div class="zoom">
          <button type="button" aria-label={texts.nearer} title={texts.nearer} onClick={() => map.current?.zoomBy(1.6)}>
            +
          </button>
          <button
            type="button"
            aria-label={texts.farther}
            title={texts.farther}
            onClick={() => map.current?.zoomBy(1 / 1.6)}
          >
            −
          </button>
          <button type="button" aria-label={texts.whole} title={texts.whole} onClick={() => map.current?.fit()}>
            <svg viewBox="0 0 16 16" aria-hidden="true">
              <path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4" />
            </svg>
          </button>
        </div>
      </div>
    </div>
  );
}

function Pointed({ store, hall, seat }: { store: EventStore; hall: Hall; seat: number }) {
  const status = STATUS_NAMES[store.known.value?.statuses[seat] ?? 0];
  const category = hall.categories[hall.category[seat] as number];
  const price = priceOf(store.event.value, category?.name ?? "");
  const isMine = store.mine.value.has(seat);
  return (
    <>
      <strong>{store.nameOf(seat)}</strong> {category?.name}
      {status === "available" && price ? `, ${price.text}` : ""}
      {status === "available" ? "" : ` (${t().list.statuses[isMine ? "mine" : (status ?? "blocked")]})`}
    </>
  );
}
