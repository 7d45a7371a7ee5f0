import type { SeatMap } from "../map/seat_map.ts";

/** Choosing seats by dragging a rectangle over them: with the shift key, or while `isOn` says so. */
export function marquee(
  map: SeatMap,
  canvas: HTMLCanvasElement,
  isOn: () => boolean,
  chosen: (seats: number[]) => void,
): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const frame = document.createElement("div");
  frame.className = "marquee";
  let from: { x: number; y: number } | null = null;
  let isDragged = false;
  const isOurs = (event: Event) => (event as MouseEvent).shiftKey || isOn();
  // The wheel and two fingers move the map whatever is pressed.
  map.leaves((event) => event.type !== "wheel" && !("touches" in event && event.touches.length > 1) && isOurs(event));

  const show = (x: number, y: number) => {
    if (from === null) return;
    frame.style.left = `${Math.min(from.x, x) + canvas.offsetLeft}px`;
    frame.style.top = `${Math.min(from.y, y) + canvas.offsetTop}px`;
    frame.style.width = `${Math.abs(x - from.x)}px`;
    frame.style.height = `${Math.abs(y - from.y)}px`;
  };
  const end = () => {
    from = null;
    frame.remove();
  };
  canvas.addEventListener(
    "pointerdown",
    (event) => {
      isDragged = false;
      if (event.button !== 0 || !event.isPrimary || !isOurs(event)) return;
      from = { x: event.offsetX, y: event.offsetY };
      canvas.setPointerCapture(event.pointerId);
    },
    { signal },
  );
  canvas.addEventListener(
    "pointermove",
    (event) => {
      if (from === null) return;
      if (!isDragged && Math.hypot(event.offsetX - from.x, event.offsetY - from.y) < 6) return;
      isDragged = true;
      if (!frame.isConnected) canvas.parentElement?.append(frame);
      show(event.offsetX, event.offsetY);
    },
    { signal },
  );
  canvas.addEventListener(
    "pointerup",
    (event) => {
      if (from !== null && isDragged) {
        const [x, y] = [event.offsetX, event.offsetY];
        chosen(
          map.seatsIn({
            left: Math.min(from.x, x),
            right: Math.max(from.x, x),
            top: Math.min(from.y, y),
            bottom: Math.max(from.y, y),
          }),
        );
      }
      end();
    },
    { signal },
  );
  canvas.addEventListener("pointercancel", end, { signal });
  // What ended a drag is not a press on the seat below it as well.
  canvas.addEventListener(
    "click",
    (event) => {
      if (!isDragged) return;
      isDragged = false;
      event.stopImmediatePropagation();
    },
    { signal, capture: true },
  );
  return () => {
    stop.abort();
    frame.remove();
  };
}
