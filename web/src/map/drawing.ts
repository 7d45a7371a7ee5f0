import type { ChartArea } from "./chart.ts";
import type { Box, Hall } from "./hall.ts";
import type { Palette } from "./palette.ts";

/** How a seat looks: what it is, and what it is to this visitor. */
export const FREE = 0;
export const TAKEN_FOR_NOW = 1;
export const SOLD = 2;
export const NOT_FOR_SALE = 3;
export const CHOSEN = 4;
export const MINE = 5;
export const LOST = 6;

export interface View {
  /** Position on the screen = position in the house * k + (x, y), in CSS pixels. */
  k: number;
  x: number;
  y: number;
  width: number;
  height: number;
  density: number;
}

export interface Scene {
  hall: Hall;
  looks: Uint8Array;
  free: number[];
  palette: Palette;
  /** The seat under the pointer, or -1. */
  pointed: number;
}

/** Nearer than this many pixels, seats cannot be told apart or hit; sections are shown instead. */
export const SEATS_FROM_PIXELS = 7.5;
const NUMBERS_FROM_PIXELS = 22;
const ROWS_FROM_PIXELS = 18;
// Circles cost more than squares, and below this nobody sees the difference.
const ROUND_FROM_PIXELS = 4;

export function showsSeats(hall: Hall, k: number): boolean {
  return hall.pitch * k >= SEATS_FROM_PIXELS;
}

export function visibleBox(view: View): Box {
  return {
    left: -view.x / view.k,
    top: -view.y / view.k,
    right: (view.width - view.x) / view.k,
    bottom: (view.height - view.y) / view.k,
  };
}

/** Draw what is to be seen; `visible` are the seats in the window. */
export function draw(context: CanvasRenderingContext2D, scene: Scene, view: View, visible: ArrayLike<number>): void {
  const { density } = view;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.fillStyle = scene.palette.background;
  context.fillRect(0, 0, view.width, view.height);
  context.setTransform(density * view.k, 0, 0, density * view.k, density * view.x, density * view.y);
  for (const area of scene.hall.areas) drawArea(context, area, scene.palette);
  if (showsSeats(scene.hall, view.k)) {
    drawSeats(context, scene, visible);
    drawRowNames(context, scene, view);
    if (scene.hall.pitch * view.k >= NUMBERS_FROM_PIXELS) drawNumbers(context, scene, visible);
  } else {
    drawSections(context, scene, view);
  }
}

function drawArea(context: CanvasRenderingContext2D, area: ChartArea, palette: Palette): void {
  context.save();
  context.translate(area.position.x, area.position.y);
  context.rotate((area.rotation * Math.PI) / 180);
  const path = new Path2D();
  if (area.circle) path.arc(0, 0, area.circle.radius, 0, 2 * Math.PI);
  else if (area.ellipse) path.ellipse(0, 0, area.ellipse.radius.x, area.ellipse.radius.y, 0, 0, 2 * Math.PI);
  else if (area.rectangle) path.rect(0, 0, area.rectangle.width, area.rectangle.height);
  else if (area.polygon) {
    for (const [at, { x, y }] of area.polygon.points.entries()) at === 0 ? path.moveTo(x, y) : path.lineTo(x, y);
    path.closePath();
  }
  if (area.shape !== "text") {
    context.fillStyle = palette.area(area.color);
    context.fill(path);
  }
  if (area.text) {
    context.fillStyle = palette.quiet;
    context.font = `500 ${area.text.size}px ${palette.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(area.text.text, area.text.position.x, area.text.position.y);
  }
  context.restore();
}

/** One path for all seats that look the same: filling a thousand circles at once costs little more than filling one. */
function drawSeats(context: CanvasRenderingContext2D, scene: Scene, visible: ArrayLike<number>): void {
  const { hall, looks, palette } = scene;
  const radius = hall.pitch * 0.4;
  const isRound = hall.pitch * context.getTransform().a >= ROUND_FROM_PIXELS;
  const free = palette.categories.map(() => new Path2D());
  const [held, sold, closed, own, rings, lost, ticks] = Array.from({ length: 7 }, () => new Path2D()) as [
    Path2D,
    Path2D,
    Path2D,
    Path2D,
    Path2D,
    Path2D,
    Path2D,
  ];
  for (let at = 0; at < visible.length; at++) {
    const seat = visible[at] as number;
    const [x, y] = [hall.x[seat] as number, hall.y[seat] as number];
    switch (looks[seat]) {
      case FREE:
        addDisc(free[hall.category[seat] as number] as Path2D, x, y, radius, isRound);
        break;
      case TAKEN_FOR_NOW:
        addDisc(held, x, y, radius * 0.62, isRound);
        break;
      case SOLD:
        addCross(sold, x, y, radius * 0.36);
        break;
      case NOT_FOR_SALE:
        closed.rect(x - radius * 0.16, y - radius * 0.16, radius * 0.32, radius * 0.32);
        break;
      case LOST:
        addDisc(lost, x, y, radius, isRound);
        addCross(lost, x, y, radius * 0.45);
        break;
      default:
        addDisc(own, x, y, radius * 1.06, isRound);
        // A ring tells it from a category whose colour is like the page's own.
        addDisc(rings, x, y, radius * 1.38, isRound);
        addTick(ticks, x, y, radius);
    }
  }
  for (const [category, path] of free.entries()) {
    context.fillStyle = palette.categories[category] as string;
    context.fill(path);
  }
  context.lineWidth = hall.pitch * 0.07;
  context.lineCap = "round";
  context.strokeStyle = palette.line;
  context.stroke(held);
  context.stroke(sold);
  context.fillStyle = palette.line;
  context.fill(closed);
  context.strokeStyle = palette.text;
  context.stroke(rings);
  context.strokeStyle = palette.accent;
  context.stroke(lost);
  context.fillStyle = palette.accent;
  context.fill(own);
  context.lineWidth = hall.pitch * 0.1;
  context.strokeStyle = palette.onAccent;
  context.stroke(ticks);
  if (scene.pointed >= 0) drawPointed(context, scene, radius);
}

function drawPointed(context: CanvasRenderingContext2D, { hall, palette, pointed }: Scene, radius: number): void {
  context.beginPath();
  context.arc(hall.x[pointed] as number, hall.y[pointed] as number, radius * 1.28, 0, 2 * Math.PI);
  context.lineWidth = hall.pitch * 0.07;
  context.strokeStyle = palette.text;
  context.stroke();
}

function addDisc(path: Path2D, x: number, y: number, radius: number, isRound: boolean): void {
  if (!isRound) {
    path.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    return;
  }
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, 2 * Math.PI);
}

function addCross(path: Path2D, x: number, y: number, arm: number): void {
  path.moveTo(x - arm, y - arm);
  path.lineTo(x + arm, y + arm);
  path.moveTo(x + arm, y - arm);
  path.lineTo(x - arm, y + arm);
}

function addTick(path: Path2D, x: number, y: number, radius: number): void {
  path.moveTo(x - radius * 0.45, y + radius * 0.02);
  path.lineTo(x - radius * 0.12, y + radius * 0.38);
  path.lineTo(x + radius * 0.48, y - radius * 0.36);
}

function drawNumbers(context: CanvasRenderingContext2D, scene: Scene, visible: ArrayLike<number>): void {
  const { hall, looks, palette } = scene;
  context.font = `600 ${hall.pitch * 0.34}px ${palette.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = palette.background;
  const widest = hall.pitch * 0.66;
  for (let at = 0; at < visible.length; at++) {
    const seat = visible[at] as number;
    if (looks[seat] === FREE) {
      context.fillText(hall.numbers[seat] as string, hall.x[seat] as number, hall.y[seat] as number, widest);
    }
  }
}

function drawRowNames(context: CanvasRenderingContext2D, { hall, palette }: Scene, view: View): void {
  if (hall.pitch * view.k < ROWS_FROM_PIXELS) return;
  context.font = `500 ${hall.pitch * 0.46}px ${palette.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = palette.quiet;
  for (const section of hall.sections) {
    for (const row of section.rows) {
      const last = row.end - 1;
      const [x, y] = [hall.x[row.first] as number, hall.y[row.first] as number];
      const [dx, dy] = [(hall.x[last] as number) - x, (hall.y[last] as number) - y];
      const length = Math.hypot(dx, dy) || 1;
      const room = (hall.pitch * 1.05) / length;
      context.fillText(row.name, x - dx * room, y - dy * room);
    }
  }
}

function drawSections(context: CanvasRenderingContext2D, { hall, free, palette, looks }: Scene, view: View): void {
  for (const [number, section] of hall.sections.entries()) {
    const path = new Path2D();
    for (let at = 0; at < section.outline.length; at += 2) {
      const [x, y] = [section.outline[at] as number, section.outline[at + 1] as number];
      at === 0 ? path.moveTo(x, y) : path.lineTo(x, y);
    }
    path.closePath();
    const category = hall.category[section.first] as number;
    const hasFree = (free[number] as number) > 0;
    const hasOwn = looks.subarray(section.first, section.end).some((look) => look === CHOSEN || look === MINE);
    context.fillStyle = hasFree ? (palette.tints[category] as string) : palette.background;
    context.fill(path);
    context.lineWidth = (hasOwn ? 3 : 1.5) / view.k;
    context.setLineDash(hasFree ? [] : [4 / view.k, 4 / view.k]);
    context.strokeStyle = hasOwn ? palette.accent : hasFree ? (palette.categories[category] as string) : palette.line;
    context.stroke(path);
    context.setLineDash([]);
  }
  // Names last, so that no outline of a neighbour lies over them.
  for (const [number, { name, centre }] of hall.sections.entries()) {
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = palette.text;
    context.font = `600 ${13 / view.k}px ${palette.font}`;
    context.fillText(name, centre[0], centre[1] - 8 / view.k);
    context.fillStyle = palette.quiet;
    context.font = `400 ${12 / view.k}px ${palette.font}`;
    context.fillText(String(free[number]), centre[0], centre[1] + 8 / view.k);
  }
}
