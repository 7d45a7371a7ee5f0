import type { ReadonlySignal } from "@preact/signals";
import { Legend } from "../event/legend.tsx";
import { Losses } from "../event/losses.tsx";
import { MapView } from "../event/map_view.tsx";
import { SeatList } from "../event/seat_list.tsx";
import type { EventStore } from "../event/store.ts";
import { saleOf } from "../events/sale.ts";
import { Notice, Said } from "../parts/notice.tsx";
import { t } from "../texts/index.ts";
import type { Holding, Token } from "./holding.ts";

interface Properties {
  store: EventStore;
  holding: Holding;
  token: ReadonlySignal<Token | null>;
  /** Start anew, after it was refused. */
  again: () => void;
}

/** What is inside of the element. */
export function Widget({ store, holding, token, again }: Properties) {
  const { value: hall } = store.hall;
  if (store.refusal.value !== null) return <Notice refusal={store.refusal.value} again={again} />;
  if (hall === null) return <p class="quiet">{t().event.loading}</p>;
  return (
    <>
      <MapView store={store} hall={hall} />
      <Legend store={store} />
      <Losses store={store} />
      <Notice refusal={holding.refusal.value} />
      {token.value !== null && <HoldButton store={store} holding={holding} />}
      <SeatList store={store} hall={hall} />
      <Said>{store.said.value}</Said>
    </>
  );
}

function HoldButton({ store, holding }: Pick<Properties, "store" | "holding">) {
  const { basket } = t();
  const { value: held } = holding.held;
  const { value: event } = store.event;
  const count = store.chosen.value.size;
  if (held !== null) {
    return (
      <p class="act">
        <strong>{basket.held(held.seat_nos.length)}</strong>{" "}
        <button type="button" class="button" onClick={() => void holding.release()}>
          {basket.letGo}
        </button>
      </p>
    );
  }
  const sale = event === null ? "closed" : saleOf(event, Date.now());
  if (count === 0 || sale === "cancelled" || sale === "closed") return null;
  return (
    <p class="act">
      <button
        type="button"
        class="button main"
        aria-disabled={holding.isWorking.value}
        onClick={() => void holding.place()}
      >
        {holding.isWorking.value ? basket.holding : basket.hold(count)}
      </button>
    </p>
  );
}
