import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { language } from "../texts/index.ts";

export interface Line {
  name: string;
  values: number[];
  /** Bars for what is counted, a line for what it is compared with. */
  form: "bars" | "line";
}

interface SeriesProperties {
  /** Seconds since 1970, in order, equally far apart. */
  at: number[];
  lines: Line[];
  by: "minute" | "day";
  label: string;
}

const HEIGHT = 240;

/** Figures over time. It is a picture; the table beside it says the same. */
export function Series({ at, lines, by, label }: SeriesProperties) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = [at, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const form = lines.map((line) => `${line.name} ${line.form}`).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `form` says all of the lines but their values.
  useEffect(() => {
    const element = place.current as HTMLDivElement;
    let isOpen = true;
    const draw = () => {
      if (!isOpen) return;
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, lines, by), latest.current, element);
    };
    draw();
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    void document.fonts.ready.then(draw);
    return () => {
      isOpen = false;
      scheme.removeEventListener("change", draw);
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [form, by, language.value]);
  useEffect(() => plot.current?.setData(latest.current));
  return (
    <figure class="series" role="img" aria-label={label}>
      <ul class="series-key" aria-hidden="true">
        {lines.map(({ name, form }) => (
          <li key={name} class={`as-${form}`}>
            {name}
          </li>
        ))}
      </ul>
      <div ref={place} class="series-plot" />
    </figure>
  );
}

function optionsOf(element: HTMLElement, lines: Line[], by: "minute" | "day"): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const [accent, quiet, line, strong] = ["--accent", "--text-quiet", "--line", "--line-strong"].map(colour) as [
    string,
    string,
    string,
    string,
  ];
  const tag = language.value === "en" ? "en-GB" : language.value;
  const parts: Intl.DateTimeFormatOptions =
    by === "day" ? { day: "numeric", month: "short", timeZone: "UTC" } : { hour: "2-digit", minute: "2-digit" };
  const format = new Intl.DateTimeFormat(tag, parts);
  const half = by === "day" ? 43_200 : 30;
  const bars = uPlot.paths.bars as uPlot.Series.BarsPathBuilderFactory;
  const font = `12px ${style.fontFamily}`;
  const axis = { stroke: quiet, font, ticks: { show: false }, border: { show: false } };
  return {
    width: Math.max(element.clientWidth, 100),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [12, 4, 0, 0],
    ...(by === "day" && { tzDate: (at: number) => uPlot.tzDate(new Date(at * 1000), "UTC") }),
    // Room for half a bar at both ends.
    scales: {
      x: { time: true, range: (_, least, most) => [least - half, most + half] },
      y: { range: (_, __, most) => [0, Math.max(4, Math.ceil(most * 1.12))] },
    },
    axes: [
      {
        ...axis,
        size: 30,
        space: 64,
        grid: { show: false },
        values: (_, moments) => moments.map((at) => format.format(at * 1000)),
      },
      {
        ...axis,
        size: 44,
        grid: { stroke: line, width: 1 },
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 1_000_000],
        values: (_, counts) => counts.map((count) => count.toLocaleString(tag)),
      },
    ],
    series: [
      {},
      ...lines.map(
        ({ form }): uPlot.Series =>
          form === "bars"
            ? { fill: accent, width: 0, points: { show: false }, paths: bars({ size: [0.72, 40], radius: 0.15 }) }
            : { stroke: strong, width: 1.5, points: { show: false } },
      ),
    ],
  };
}
