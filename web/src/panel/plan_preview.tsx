import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Swatch } from "../event/swatch.tsx";
import type { Chart } from "../map/chart.ts";
import { type Hall, hallOf } from "../map/hall.ts";
import { SeatMap } from "../map/seat_map.ts";
import { t } from "../texts/index.ts";
import { p } from "./texts/index.ts";

interface PreviewProperties {
  chart: Chart;
  file: string;
  isWorking: boolean;
  use: () => void;
  drop: () => void;
}

/** What a file would make of the house, drawn as visitors would see it, before anything is changed. */
export function PlanPreview({ chart, file, isWorking, use, drop }: PreviewProperties) {
  const { plan } = p();
  const hall = useMemo(() => hallOf(chart), [chart]);
  const heading = useRef<HTMLHeadingElement>(null);
  // Whoever cannot see that it has appeared goes on here.
  useEffect(() => heading.current?.focus(), []);
  return (
    <section class="plan-preview" aria-labelledby="preview-heading">
      <h3 id="preview-heading" ref={heading} tabIndex={-1}>
        {plan.preview(file)}
      </h3>
      <p>{plan.previewText(hall.count, hall.sections.length)}</p>
      <div class="form-act">
        <button type="button" class="button main" aria-disabled={isWorking} onClick={use}>
          {plan.use}
        </button>
        <button type="button" class="button" aria-disabled={isWorking} onClick={drop}>
          {plan.drop}
        </button>
      </div>
      <Drawing hall={hall} />
      <Contents hall={hall} />
    </section>
  );
}

function Drawing({ hall }: { hall: Hall }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const pointed = useSignal(-1);
  useEffect(() => {
    const map = new SeatMap(canvas.current as HTMLCanvasElement, hall, {
      seat: () => {},
      pointed: (seat) => {
        pointed.value = seat;
      },
    });
    const free = hall.sections.map(({ first, end }) => end - first);
    map.show(new Uint8Array(hall.count), free);
    return () => map.close();
  }, [hall, pointed]);
  const { value: seat } = pointed;
  return (
    <div class="map">
      <canvas ref={canvas} role="img" aria-label={t().event.map} />
      <p class="seat-pointed" aria-hidden="true">
        {seat >= 0 && (
          <>
            <strong>{hall.labels[seat]}</strong> {hall.categories[hall.category[seat] as number]?.name}
          </>
        )}
      </p>
    </div>
  );
}

/** The same as figures: how many seats of which category and in which section. */
function Contents({ hall }: { hall: Hall }) {
  const { plan, number } = p();
  const seats = hall.categories.map(() => 0);
  for (const category of hall.category) seats[category] = (seats[category] ?? 0) + 1;
  return (
    <>
      <table class="list small">
        <thead>
          <tr>
            <th scope="col">{plan.category}</th>
            <th scope="col" class="figure">
              {plan.seats}
            </th>
          </tr>
        </thead>
        <tbody>
          {hall.categories.map(({ name, color }, at) => (
            <tr key={name}>
              <th scope="row">
                <Swatch kind="free" color={color} /> {name}
              </th>
              <td class="figure">{number(seats[at] as number)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <details>
        <summary>{plan.sections}</summary>
        <table class="list small">
          <thead>
            <tr>
              <th scope="col">{plan.section}</th>
              <th scope="col" class="figure">
                {plan.rows}
              </th>
              <th scope="col" class="figure">
                {plan.seats}
              </th>
            </tr>
          </thead>
          <tbody>
            {hall.sections.map(({ name, rows, first, end }, at) => (
              <tr key={at}>
                <th scope="row">{name}</th>
                <td class="figure">{number(rows.length)}</td>
                <td class="figure">{number(end - first)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  );
}
