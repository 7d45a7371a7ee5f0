import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { STATUS_NAMES } from "../map/availability.ts";
import type { Hall, Row, Section } from "../map/hall.ts";
import { t } from "../texts/index.ts";
import type { EventStore } from "./store.ts";

/** `beside`: what else can be done with a row. */
type ListProperties = { store: EventStore; hall: Hall; beside?: (row: Row) => ComponentChildren };

/** The same seats as on the map, as sections, rows and checkboxes: for keyboards, and for ears. */
export function SeatList({ store, hall, beside }: ListProperties) {
  const { list } = t();
  return (
    <section class="seat-list" aria-labelledby="seat-list-heading">
      <h2 id="seat-list-heading">{list.heading}</h2>
      {hall.sections.map((section, number) => (
        <SectionSeats key={`${number} ${section.name}`} {...{ store, hall, section, number, beside }} />
      ))}
    </section>
  );
}

type SectionProperties = Omit<ListProperties, "beside"> & {
  section: Section;
  number: number;
  beside: ListProperties["beside"] | undefined;
};

function SectionSeats({ store, hall, section, number, beside }: SectionProperties) {
  const { list } = t();
  // Fifty thousand checkboxes are made for nobody; those of a section are when it is opened.
  const isOpen = useSignal(false);
  const free = store.free.value[number] ?? 0;
  return (
    <details
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>
        <span class="section-name">{section.name}</span> <span class="quiet">{t().event.freeCount(free)}</span>
      </summary>
      {isOpen.value &&
        section.rows.map((row, at) => (
          <fieldset key={`${at} ${row.name}`} class="row">
            <legend>{list.row(row.name)}</legend>
            <RowSeats store={store} hall={hall} row={row} />
            {beside?.(row)}
          </fieldset>
        ))}
    </details>
  );
}

function RowSeats({ store, hall, row }: { store: EventStore; hall: Hall; row: Row }) {
  const { list } = t();
  const statuses = store.known.value?.statuses;
  const isHolding = store.mine.value.size > 0;
  const seats = Array.from({ length: row.end - row.first }, (_, at) => row.first + at);
  return (
    <>
      {seats.map((seat) => {
        const isMine = store.mine.value.has(seat);
        const isChosen = store.chosen.value.has(seat);
        const status = STATUS_NAMES[statuses?.[seat] ?? 3] ?? "blocked";
        const isOff = isHolding || (!store.mayChoose(seat) && !isChosen);
        return (
          <label key={seat} class={`box ${isMine ? "mine" : status}`}>
            <input
              type="checkbox"
              checked={isMine || isChosen}
              aria-disabled={isOff}
              aria-label={list.seat(hall.numbers[seat] as string, list.statuses[isMine ? "mine" : status])}
              onChange={({ currentTarget }) => {
                // It stays where the keyboard can reach it, or whoever was there when it was taken would lose their place.
                if (!isOff) store.toggle(seat);
                currentTarget.checked = isMine || store.chosen.value.has(seat);
              }}
            />
            <span aria-hidden="true">{hall.numbers[seat]}</span>
          </label>
        );
      })}
    </>
  );
}
