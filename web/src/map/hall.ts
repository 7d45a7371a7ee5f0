import type { Chart, ChartArea } from "./chart.ts";

/** A house as it is drawn and searched: one entry a seat in each array, in the order of the chart. */
export interface Hall {
  count: number;
  x: Float32Array;
  y: Float32Array;
  category: Uint8Array;
  section: Uint16Array;
  /** The label that the API knows the seat by. */
  labels: string[];
  numbers: string[];
  sections: Section[];
  categories: { name: string; color: string }[];
  areas: ChartArea[];
  bounds: Box;
  /** The usual distance of neighbours. */
  pitch: number;
  indexOf: Map<string, number>;
}

export interface Section {
  name: string;
  rows: Row[];
  first: number;
  end: number;
  /** x and y in turn, of a convex outline with some room around the seats. */
  outline: number[];
  centre: [number, number];
}

/** The seats of a row are neighbours in the arrays, from `first` to before `end`. */
export interface Row {
  name: string;
  first: number;
  end: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export function hallOf(chart: Chart): Hall {
  const count = chart.sections.reduce(
    (sum, { rows }) => sum + rows.reduce((seats, row) => seats + row.seats.length, 0),
    0,
  );
  const hall: Hall = {
    count,
    x: new Float32Array(count),
    y: new Float32Array(count),
    category: new Uint8Array(count),
    section: new Uint16Array(count),
    labels: new Array(count),
    numbers: new Array(count),
    sections: [],
    categories: chart.categories,
    areas: chart.areas,
    bounds: { left: 0, top: 0, right: chart.size.width, bottom: chart.size.height },
    pitch: 1,
    indexOf: new Map(),
  };
  let place = 0;
  for (const [number, { name, rows }] of chart.sections.entries()) {
    const section: Section = { name, rows: [], first: place, end: place, outline: [], centre: [0, 0] };
    for (const { row, seats } of rows) {
      const first = place;
      for (const [label, seatNumber, x, y, category] of seats) {
        hall.labels[place] = label;
        hall.numbers[place] = seatNumber;
        hall.x[place] = x;
        hall.y[place] = y;
        hall.category[place] = category;
        hall.section[place] = number;
        hall.indexOf.set(label, place);
        place += 1;
      }
      section.rows.push({ name: row, first, end: place });
    }
    section.end = place;
    hall.sections.push(section);
  }
  hall.pitch = pitchOf(hall);
  hall.bounds = boundsOf(hall);
  for (const section of hall.sections) {
    const points = Array.from({ length: section.end - section.first }, (_, at): [number, number] => {
      const seat = section.first + at;
      return [hall.x[seat] as number, hall.y[seat] as number];
    });
    section.outline = widened(convexHull(points), hall.pitch * 0.8);
    section.centre = centreOf(section.outline);
  }
  return hall;
}

/** The lower median of the distances within rows, so that aisles and single seats do not count. */
function pitchOf(hall: Hall): number {
  const distances: number[] = [];
  for (const section of hall.sections) {
    for (const row of section.rows) {
      for (let seat = row.first + 1; seat < row.end; seat++) {
        distances.push(distance(hall, seat - 1, seat));
      }
    }
  }
  const sorted = distances.filter((length) => length > 0).sort((one, other) => one - other);
  return sorted[(sorted.length - 1) >> 1] ?? 20;
}

function distance(hall: Hall, one: number, other: number): number {
  return Math.hypot(
    (hall.x[one] as number) - (hall.x[other] as number),
    (hall.y[one] as number) - (hall.y[other] as number),
  );
}

/** What is to be seen of the house: its seats and what is drawn around them, not the paper it was drawn on. */
function boundsOf(hall: Hall): Box {
  const box: Box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  const include = (x: number, y: number, room: number) => {
    box.left = Math.min(box.left, x - room);
    box.right = Math.max(box.right, x + room);
    box.top = Math.min(box.top, y - room);
    box.bottom = Math.max(box.bottom, y + room);
  };
  for (let seat = 0; seat < hall.count; seat++) {
    include(hall.x[seat] as number, hall.y[seat] as number, hall.pitch);
  }
  for (const area of hall.areas) {
    const { x, y } = area.position;
    if (area.circle) include(x, y, area.circle.radius);
    else if (area.ellipse) include(x, y, Math.max(area.ellipse.radius.x, area.ellipse.radius.y));
    else if (area.polygon) for (const point of area.polygon.points) include(x + point.x, y + point.y, 0);
    else if (area.rectangle) {
      include(x, y, 0);
      include(x + area.rectangle.width, y + area.rectangle.height, 0);
    } else include(x, y, hall.pitch);
  }
  return Number.isFinite(box.left) ? box : hall.bounds;
}

/** Andrew's monotone chain. */
export function convexHull(points: [number, number][]): [number, number][] {
  const sorted = [...points].sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  if (sorted.length < 3) return sorted;
  const half = (ordered: [number, number][]) => {
    const chain: [number, number][] = [];
    for (const point of ordered) {
      while (
        chain.length >= 2 &&
        turn(chain.at(-2) as [number, number], chain.at(-1) as [number, number], point) <= 0
      ) {
        chain.pop();
      }
      chain.push(point);
    }
    chain.pop();
    return chain;
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

function turn(from: [number, number], by: [number, number], to: [number, number]): number {
  return (by[0] - from[0]) * (to[1] - from[1]) - (by[1] - from[1]) * (to[0] - from[0]);
}

/** The outline with room around it: the hull of an octagon around each of its corners. */
function widened(corners: [number, number][], room: number): number[] {
  const around = corners.flatMap(([x, y]) =>
    Array.from({ length: 8 }, (_, eighth): [number, number] => {
      const angle = ((eighth + 0.5) * Math.PI) / 4;
      return [x + room * Math.cos(angle), y + room * Math.sin(angle)];
    }),
  );
  return convexHull(around).flat();
}

function centreOf(outline: number[]): [number, number] {
  const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (let at = 0; at < outline.length; at += 2) {
    box.left = Math.min(box.left, outline[at] as number);
    box.right = Math.max(box.right, outline[at] as number);
    box.top = Math.min(box.top, outline[at + 1] as number);
    box.bottom = Math.max(box.bottom, outline[at + 1] as number);
  }
  return [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
}
