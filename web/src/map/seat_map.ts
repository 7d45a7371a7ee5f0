import { select } from "d3-selection";
import { type D3ZoomEvent, zoom, zoomIdentity } from "d3-zoom";
import KDBush from "kdbush";
import { draw, type Scene, showsSeats, type View, visibleBox } from "./drawing.ts";
import type { Box, Hall } from "./hall.ts";
import { paletteOf } from "./palette.ts";

/** The canvas as others find it in the page: it can say where a seat is, in pixels from its own corner. */
export interface SeatMapCanvas extends HTMLCanvasElement {
  positionOf?(label: string): { x: number; y: number } | null;
}

export interface MapListener {
  /** Somebody has pressed a seat. */
  seat(seat: number): void;
  /** The seat under the pointer, or -1. */
  pointed(seat: number): void;
}

const MARGIN_PIXELS = 20;
const SEAT_PIXELS_MAX = 64;
// A finger hits less exactly than a mouse, and neither needs to hit the middle.
const REACH = 0.75;
// A mouse can press whatever is drawn; for a finger seats have to be this far apart.
const FINGER_PIXELS = 20;

/** The map on a canvas: drawn when something has changed, moved by wheel, fingers, mouse and buttons. */
export class SeatMap {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #hall: Hall;
  readonly #index: KDBush;
  readonly #listener: MapListener;
  readonly #zoom = zoom<HTMLCanvasElement, unknown>();
  readonly #stop = new AbortController();
  readonly #observer: ResizeObserver;
  readonly #scene: Scene;
  #view: View = { k: 1, x: 0, y: 0, width: 0, height: 0, density: 1 };
  #frame = 0;

  constructor(canvas: HTMLCanvasElement, hall: Hall, listener: MapListener) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false }) as CanvasRenderingContext2D;
    this.#hall = hall;
    this.#listener = listener;
    this.#index = new KDBush(Math.max(1, hall.count), 64, Float32Array);
    for (let seat = 0; seat < hall.count; seat++) this.#index.add(hall.x[seat] as number, hall.y[seat] as number);
    if (hall.count === 0) this.#index.add(0, 0);
    this.#index.finish();
    const palette = paletteOf(canvas, hall.categories);
    this.#scene = { hall, looks: new Uint8Array(hall.count), free: hall.sections.map(() => 0), palette, pointed: -1 };
    (canvas as SeatMapCanvas).positionOf = (label) => this.#positionOf(label);
    this.#listen();
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(canvas);
  }

  /** Drags for which this holds are somebody else's; the map is not moved by them. */
  leaves(isTheirs: (event: MouseEvent | TouchEvent) => boolean): void {
    const isOurs = this.#zoom.filter();
    this.#zoom.filter(function (this: HTMLCanvasElement, event, datum) {
      return isOurs.call(this, event, datum) && !isTheirs(event);
    });
  }

  /** The seats in a part of the canvas, in pixels. */
  seatsIn({ left, top, right, bottom }: Box): number[] {
    const { k, x, y } = this.#view;
    if (this.#hall.count === 0) return [];
    return this.#index.range((left - x) / k, (top - y) / k, (right - x) / k, (bottom - y) / k);
  }

  show(looks: Uint8Array, free: number[]): void {
    this.#scene.looks = looks;
    this.#scene.free = free;
    this.#redraw();
  }

  zoomBy(factor: number): void {
    this.#zoom.scaleBy(select(this.#canvas), factor);
  }

  fit(box: Box = this.#hall.bounds): void {
    const { width, height } = this.#view;
    const k = Math.min(
      (width - 2 * MARGIN_PIXELS) / Math.max(1, box.right - box.left),
      (height - 2 * MARGIN_PIXELS) / Math.max(1, box.bottom - box.top),
      (SEAT_PIXELS_MAX * 0.6) / this.#hall.pitch,
    );
    const x = width / 2 - (k * (box.left + box.right)) / 2;
    const y = height / 2 - (k * (box.top + box.bottom)) / 2;
    this.#zoom.transform(select(this.#canvas), zoomIdentity.translate(x, y).scale(k));
  }

  close(): void {
    this.#stop.abort();
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    select(this.#canvas).on(".zoom", null);
  }

  #listen(): void {
    const { signal } = this.#stop;
    this.#zoom.on("zoom", ({ transform }: D3ZoomEvent<HTMLCanvasElement, unknown>) => {
      this.#view = { ...this.#view, k: transform.k, x: transform.x, y: transform.y };
      this.#redraw();
    });
    // A press that wanders a little is a press.
    this.#zoom.clickDistance(6).tapDistance(12);
    // A double press is two presses on a seat, not a wish to come nearer.
    select(this.#canvas).call(this.#zoom).on("dblclick.zoom", null);
    this.#canvas.addEventListener("click", (event) => this.#press(event.offsetX, event.offsetY), { signal });
    this.#canvas.addEventListener(
      "pointermove",
      (event) => {
        if (event.pointerType === "mouse") this.#point(this.#seatAt(event.offsetX, event.offsetY));
      },
      { signal },
    );
    this.#canvas.addEventListener("pointerleave", () => this.#point(-1), { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#repaint(), { signal });
    void document.fonts.ready.then(() => this.#redraw());
  }

  #press(x: number, y: number): void {
    const seat = this.#seatAt(x, y);
    if (seat >= 0) this.#listener.seat(seat);
    else if (!this.#isNear()) this.#approach(x, y);
  }

  /** Whether seats can be told apart, by what is pointed with here. */
  #isNear(): boolean {
    const isFinger = matchMedia("(pointer: coarse)").matches;
    return showsSeats(this.#hall, this.#view.k) && (!isFinger || this.#hall.pitch * this.#view.k >= FINGER_PIXELS);
  }

  /** Come near to the section that was pressed, so that its seats can be told apart. */
  #approach(x: number, y: number): void {
    const { k, x: left, y: top } = this.#view;
    const [nearest] = this.#index.within((x - left) / k, (y - top) / k, 40 / k + this.#hall.pitch * 2);
    if (nearest === undefined) return;
    const { outline } = this.#hall.sections[this.#hall.section[nearest] as number] as { outline: number[] };
    const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
    for (let at = 0; at < outline.length; at += 2) {
      box.left = Math.min(box.left, outline[at] as number);
      box.right = Math.max(box.right, outline[at] as number);
      box.top = Math.min(box.top, outline[at + 1] as number);
      box.bottom = Math.max(box.bottom, outline[at + 1] as number);
    }
    this.fit(box);
    // A section as wide as the house is still too far away: come near to where the finger was.
    if (!this.#isNear()) {
      const size = Math.min(this.#view.width, this.#view.height) / (28 / this.#hall.pitch) / 2;
      const [middleX, middleY] = [(x - left) / k, (y - top) / k];
      this.fit({ left: middleX - size, right: middleX + size, top: middleY - size, bottom: middleY + size });
    }
  }

  #seatAt(x: number, y: number): number {
    if (this.#hall.count === 0 || !this.#isNear()) return -1;
    const { k, x: left, y: top } = this.#view;
    const [houseX, houseY] = [(x - left) / k, (y - top) / k];
    let nearest = -1;
    let least = Infinity;
    for (const seat of this.#index.within(houseX, houseY, this.#hall.pitch * REACH)) {
      const away = Math.hypot((this.#hall.x[seat] as number) - houseX, (this.#hall.y[seat] as number) - houseY);
      if (away < least) [nearest, least] = [seat, away];
    }
    return nearest;
  }

  #point(seat: number): void {
    if (seat === this.#scene.pointed) return;
    this.#scene.pointed = seat;
    this.#canvas.style.cursor = seat >= 0 ? "pointer" : "grab";
    this.#listener.pointed(seat);
    this.#redraw();
  }

  #positionOf(label: string): { x: number; y: number } | null {
    const seat = this.#hall.indexOf.get(label);
    if (seat === undefined || !this.#isNear()) return null;
    const { k, x, y } = this.#view;
    return { x: (this.#hall.x[seat] as number) * k + x, y: (this.#hall.y[seat] as number) * k + y };
  }

  #repaint(): void {
    this.#scene.palette = paletteOf(this.#canvas, this.#hall.categories);
    this.#redraw();
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0 || height === 0) return;
    const density = Math.min(devicePixelRatio || 1, 2);
    const isFirst = this.#view.width === 0;
    this.#canvas.width = Math.round(width * density);
    this.#canvas.height = Math.round(height * density);
    this.#view = { ...this.#view, width, height, density };
    const { left, top, right, bottom } = this.#hall.bounds;
    const least = Math.min(width / Math.max(1, right - left), height / Math.max(1, bottom - top)) * 0.6;
    this.#zoom
      .extent([
        [0, 0],
        [width, height],
      ])
      .translateExtent([
        [left, top],
        [right, bottom],
      ]);
    this.#zoom.scaleExtent([least, Math.max(SEAT_PIXELS_MAX / this.#hall.pitch, least)]);
    if (isFirst) this.fit();
    this.#redraw();
  }

  #redraw(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#view.width === 0) return;
      const { left, top, right, bottom } = visibleBox(this.#view);
      const room = this.#hall.pitch;
      const isNear = this.#hall.count > 0 && showsSeats(this.#hall, this.#view.k);
      const visible = isNear ? this.#index.range(left - room, top - room, right + room, bottom + room) : [];
      draw(this.#context, this.#scene, this.#view, visible);
    });
  }
}
