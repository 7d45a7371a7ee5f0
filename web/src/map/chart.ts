/** What `GET /events/{id}/chart` answers with; docs/api.md and `chart_document` in the server say what it means. */
export interface Chart {
  name: string;
  size: { width: number; height: number };
  categories: { name: string; color: string }[];
  sections: ChartSection[];
  areas: ChartArea[];
}

export interface ChartSection {
  name: string;
  rows: { row: string; seats: ChartSeat[] }[];
}

/** Label, number, x, y, index in categories. */
export type ChartSeat = [string, string, number, number, number];

interface Point {
  x: number;
  y: number;
}

export interface ChartArea {
  shape: string;
  position: Point;
  color: string;
  border_color: string;
  rotation: number;
  circle?: { radius: number };
  ellipse?: { radius: Point };
  rectangle?: { width: number; height: number };
  polygon?: { points: Point[] };
  text?: { text: string; position: Point; color: string; size: number };
}

const PITCH = 20;
const SEATS_IN_ROW_MAX = 24;

/** A listed seat, as far as a house is drawn from it. */
export interface ListedSeat {
  seat_no: string;
}

/** A plain house for seats that have labels only, in the order in which they are listed. */
export function plainChart(seats: ListedSeat[], name: string): Chart {
  const section = plainSection(seats, name, 0, 0);
  const width = SEATS_IN_ROW_MAX * PITCH;
  const size = { width, height: (section.rows.length + 2) * PITCH };
  return { name, size, categories: [{ name, color: "#8a6d3b" }], sections: [section], areas: [] };
}

/** The chart with the seats that it has no place for in rows of their own below it, in the same order. */
export function withFurtherSeats(chart: Chart, seats: ListedSeat[], name: string): Chart {
  const placed = new Set(
    chart.sections.flatMap(({ rows }) => rows.flatMap((row) => row.seats.map(([label]) => label))),
  );
  const further = seats.filter((seat) => !placed.has(seat.seat_no));
  if (further.length === 0) return chart;
  const category = chart.categories.length;
  const section = plainSection(further, name, chart.size.height + 2 * PITCH, category);
  return {
    ...chart,
    categories: [...chart.categories, { name, color: "#8a6d3b" }],
    sections: [...chart.sections, section],
  };
}

function plainSection(seats: ListedSeat[], name: string, top: number, category: number): ChartSection {
  const rows: ChartSection["rows"] = [];
  const length = Math.min(SEATS_IN_ROW_MAX, Math.max(6, Math.ceil(Math.sqrt(seats.length * 1.8))));
  for (let first = 0; first < seats.length; first += length) {
    const number = rows.length + 1;
    rows.push({
      row: String(number),
      seats: seats
        .slice(first, first + length)
        .map((seat, at): ChartSeat => [seat.seat_no, seat.seat_no, at * PITCH, top + number * PITCH * 1.1, category]),
    });
  }
  return { name, rows };
}
