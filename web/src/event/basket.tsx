import { useEffect, useRef } from "preact/hooks";
import { saleOf } from "../events/sale.ts";
import { Notice } from "../parts/notice.tsx";
import { paths } from "../paths.ts";
import { go } from "../router.tsx";
import { isKnown, user } from "../session/session.ts";
import { t } from "../texts/index.ts";
import { Losses } from "./losses.tsx";
import { priceOf, totalOf } from "./prices.ts";
import type { Purchase } from "./purchase.ts";
import type { EventStore } from "./store.ts";
import { Swatch } from "./swatch.tsx";

/** What the visitor has chosen, what is held for them, and the one thing to press next. */
export function Basket({ store, purchase }: { store: EventStore; purchase: Purchase }) {
  const { basket } = t();
  const { value: hold } = purchase.hold;
  const seats = [...(hold === null ? store.chosen.value : store.mine.value)].sort((one, other) => one - other);
  return (
    <section class="basket" aria-labelledby="basket-heading">
      <h2 id="basket-heading">{basket.heading}</h2>
      {hold !== null && <Countdown purchase={purchase} />}
      <Losses store={store} />
      <p role="status" class={purchase.message.value === "" ? "unseen" : "notice"}>
        {purchase.message.value}
      </p>
      {seats.length === 0 && <p class="quiet">{basket.nothing}</p>}
      <Seats store={store} seats={seats} isHeld={hold !== null} />
      <Notice refusal={purchase.refusal.value} />
      {hold === null ? <HoldButton store={store} purchase={purchase} /> : <BookButtons purchase={purchase} />}
    </section>
  );
}

function Countdown({ purchase }: { purchase: Purchase }) {
  const { basket } = t();
  const { value: left } = purchase.secondsLeft;
  return (
    <p class={left <= 60 ? "countdown soon" : "countdown"}>
      {basket.heldFor}{" "}
      <span role="timer" class="clock">
        {basket.minutes(Math.floor(left / 60), left % 60)}
      </span>
    </p>
  );
}

function Seats({ store, seats, isHeld }: { store: EventStore; seats: number[]; isHeld: boolean }) {
  const { basket } = t();
  const { value: hall } = store.hall;
  const categories = seats.map((seat) => hall?.categories[hall.category[seat] as number]?.name ?? "");
  const total = totalOf(store.event.value, categories);
  if (seats.length === 0) return null;
  return (
    <>
      <ul class="seats">
        {seats.map((seat, at) => (
          <li key={seat}>
            <Swatch kind="chosen" />
            <span class="seat-name">{store.nameOf(seat)}</span>
            <span class="price">{priceOf(store.event.value, categories[at] as string)?.text}</span>
            {!isHeld && (
              <button
                type="button"
                class="remove"
                aria-label={basket.remove(store.nameOf(seat))}
                onClick={() => store.toggle(seat)}
              >
                ×
              </button>
            )}
          </li>
        ))}
      </ul>
      {total !== null && (
        <p class="total">
          {basket.total} <span class="price">{total}</span>
        </p>
      )}
    </>
  );
}

function HoldButton({ store, purchase }: { store: EventStore; purchase: Purchase }) {
  const { basket } = t();
  const { value: count } = purchase.count;
  const { value: event } = store.event;
  if (count === 0 || event === null) return null;
  const sale = saleOf(event, Date.now());
  if (sale === "cancelled" || sale === "closed") return null;
  const press = () => {
    if (user.value === null) go(paths.logIn(location.pathname));
    else void purchase.place();
  };
  return (
    <div class="act">
      <button type="button" class="button main" aria-disabled={purchase.working.value !== null} onClick={press}>
        {purchase.working.value === "holding" ? basket.holding : basket.hold(count)}
      </button>
      {isKnown.value && user.value === null && <p class="hint">{basket.logInFirst}</p>}
    </div>
  );
}

function BookButtons({ purchase }: { purchase: Purchase }) {
  const { basket } = t();
  const count = purchase.hold.value?.seat_nos.length ?? 0;
  const isWorking = purchase.working.value !== null;
  const main = useRef<HTMLButtonElement>(null);
  // The button that was pressed has gone; whoever pressed it by keyboard goes on at the next one.
  useEffect(() => {
    if (document.activeElement === document.body) main.current?.focus({ preventScroll: true });
  }, []);
  const book = async () => {
    const id = await purchase.book();
    if (id !== null) go(`${paths.booking(id)}?new`);
  };
  return (
    <div class="act">
      <button ref={main} type="button" class="button main" aria-disabled={isWorking} onClick={() => void book()}>
        {purchase.working.value === "booking" ? basket.booking : basket.book(count)}
      </button>
      <button type="button" class="button" aria-disabled={isWorking} onClick={() => void purchase.release()}>
        {basket.letGo}
      </button>
    </div>
  );
}
