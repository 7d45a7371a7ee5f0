// What is measured inside of a page: installed before anything of the page itself runs.
window.bench = (() => {
  const canvas = () => document.querySelector(".map canvas");
  const PULL = 150;
  // The one pixel in the middle of a seat may be one of its number; so far all of them are its own at any distance.
  const REACH = 2;
  const frame = () => new Promise(requestAnimationFrame);
  const transform = () => canvas().__zoom;
  let interactive;
  const interactiveAt = new Promise((settle) => {
    interactive = settle;
  });

  // What the page is for is there, has been drawn, and the page has time for whoever presses something.
  const look = () => {
    const isThere = document.querySelector(location.pathname === "/" ? ".show" : ".liveness.live");
    if (!isThere) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => interactive(performance.now())));
  };
  requestAnimationFrame(look);

  function middle() {
    const box = canvas().getBoundingClientRect();
    return { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  }

  function mouse(type, target, x = 0, y = 0) {
    const { clientX, clientY } = middle();
    const place = { clientX: clientX + x, clientY: clientY + y };
    target.dispatchEvent(new MouseEvent(type, { ...place, bubbles: true, cancelable: true, view: window }));
  }

  function wheel(deltaY) {
    canvas().dispatchEvent(new WheelEvent("wheel", { ...middle(), deltaY, bubbles: true, cancelable: true }));
  }

  // A house that is hardly wider than the window stays where it is, whatever pulls at it.
  function canBeMoved() {
    mouse("mousedown", canvas());
    const places = [-PULL, PULL, 0].map((x) => {
      mouse("mousemove", window, x);
      return transform().x;
    });
    mouse("mouseup", window);
    return Math.abs(places[1] - places[0]) > PULL;
  }

  // The way there is one of small steps: the first distance at which seats are drawn and the map can be pulled about has
  // the most of them.
  async function approach(label) {
    for (let steps = 0; steps < 400; steps++) {
      if (canvas().positionOf(label) !== null && canBeMoved()) return;
      wheel(-20);
      await frame();
    }
    throw new Error("the map never came near enough to show seats");
  }

  function seen(labels) {
    const { clientWidth, clientHeight } = canvas();
    return labels.filter((label) => {
      const place = canvas().positionOf(label);
      return place !== null && place.x > 4 && place.y > 4 && place.x < clientWidth - 4 && place.y < clientHeight - 4;
    });
  }

  // Moves the map in each frame for some time, and tells when the frames were.
  async function move(how, seconds) {
    const times = [];
    let travelled = 0;
    let last = transform();
    let phase = 0;
    if (how === "panning") mouse("mousedown", canvas());
    const start = await frame();
    for (let now = start; now - start < seconds * 1000; now = await frame()) {
      // What is moved in a frame is drawn in the next one; until then there is nothing to draw.
      if (travelled > 0) times.push(now);
      const turn = ((now - start) / 2000) * 2 * Math.PI;
      if (how === "panning") mouse("mousemove", window, PULL * Math.sin(turn), 60 * Math.sin(2 * turn));
      else {
        const next = (1 - Math.cos(turn)) / 2;
        wheel(-1500 * (next - phase));
        phase = next;
      }
      const { k, x, y } = transform();
      travelled += Math.abs(x - last.x) + Math.abs(y - last.y) + 100 * Math.abs(Math.log2(k / last.k));
      last = { k, x, y };
    }
    if (how === "panning") mouse("mouseup", window);
    return { times, travelled };
  }

  // From now on: when each of these seats was first shown in another colour, in milliseconds since 1970.
  async function watchSeats(labels) {
    // What moved the map last is drawn by then.
    for (let frames = 0; frames < 3; frames++) await frame();
    const context = canvas().getContext("2d");
    const density = canvas().width / canvas().clientWidth;
    const places = labels.map((label) => canvas().positionOf(label));
    const painted = {};
    const read = () => {
      const { data, width } = context.getImageData(0, 0, canvas().width, canvas().height);
      return places.map(({ x, y }) => {
        const [left, top] = [Math.round(x * density) - REACH, Math.round(y * density) - REACH];
        const pixels = [];
        for (let row = top; row <= top + 2 * REACH; row++) {
          const at = (row * width + left) * 4;
          pixels.push(data.subarray(at, at + (2 * REACH + 1) * 4).join());
        }
        return pixels.join();
      });
    };
    const before = read();
    let isDue = false;
    context.fillRect = function (...box) {
      CanvasRenderingContext2D.prototype.fillRect.apply(this, box);
      if (isDue) return;
      isDue = true;
      // The map is drawn in one go, which begins with its background; the next frame begins when this one is shown.
      queueMicrotask(() => {
        isDue = false;
        const now = read();
        const changed = labels.filter((label, at) => !(label in painted) && now[at] !== before[at]);
        requestAnimationFrame(() => {
          for (const label of changed) painted[label] ??= performance.timeOrigin + performance.now();
        });
      });
    };
    window.bench.painted = painted;
  }

  // Those of these seats that were painted, once all of them were, or after so many milliseconds.
  async function paintedOf(labels, milliseconds) {
    const until = performance.now() + milliseconds;
    while (!labels.every((label) => label in window.bench.painted) && performance.now() < until) await frame();
    return window.bench.painted;
  }

  return { approach, seen, move, watchSeats, paintedOf, interactiveAt, painted: {} };
})();
