import { t } from "../texts/index.ts";
import { priceOf } from "./prices.ts";
import type { EventStore } from "./store.ts";
import { Swatch } from "./swatch.tsx";

type State = "chosen" | "held" | "sold" | "blocked";
const VISITORS_STATES: State[] = ["chosen", "held", "sold"];

/** Which colour is which category, and which shape is which state. */
export function Legend({ store, states = VISITORS_STATES }: { store: EventStore; states?: State[] }) {
  const texts = t().event;
  const categories = store.hall.value?.categories ?? [];
  return (
    <section class="legend" aria-label={texts.legend}>
      <ul>
        {categories.map(({ name, color }) => (
          <li key={name}>
            <Swatch kind="free" color={color} />
            {name}
            <Price text={priceOf(store.event.value, name)?.text} />
          </li>
        ))}
      </ul>
      <ul class="quiet">
        {states.map((state) => (
          <li key={state}>
            <Swatch kind={state} /> {texts[state]}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Price({ text }: { text: string | undefined }) {
  return text === undefined ? null : <span class="price">{text}</span>;
}
