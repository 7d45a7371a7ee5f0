/** Server-sent events, read by `fetch`: `EventSource` neither notices a connection gone silent nor a refusal. */

export interface Message {
  type: string;
  data: string;
  id: string;
}

/** Takes text as it comes and gives each message when its blank line is there. */
export function messageReader(): (text: string) => Message[] {
  let rest = "";
  let id = "";
  return (text) => {
    // A carriage return at the end may be half of a line break.
    const pieces = (rest + text).replace(/\r\n|\r(?!$)/g, "\n").split("\n\n");
    rest = pieces.pop() as string;
    const messages: Message[] = [];
    for (const piece of pieces) {
      let type = "message";
      const data: string[] = [];
      for (const line of piece.split("\n")) {
        const colon = line.indexOf(":");
        // Lines that begin with a colon are comments, by which the server shows that it is still there.
        if (colon === 0) continue;
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") type = value;
        else if (field === "data") data.push(value);
        else if (field === "id") id = value;
      }
      if (data.length > 0) messages.push({ type, data: data.join("\n"), id });
    }
    return messages;
  };
}

export interface Listener {
  message(message: Message): void;
  /** False from when the connection is lost until the map is right again. */
  live(isLive: boolean): void;
}

const SILENCE_SECONDS_MAX = 40;
const PAUSE_SECONDS_MAX = 8;

/** How long to wait before the next try, in seconds; streams end now and then by themselves. */
export function pauseBefore(failures: number, chance: number): number {
  return failures === 0 ? 0.2 * chance : Math.min(0.5 * 2 ** (failures - 1), PAUSE_SECONDS_MAX) * (0.5 + 0.5 * chance);
}

/** Watch until `signal`. Comes back by itself, from where it was; `anew` forgets the place, and the next is a `reset`. */
export function watch(address: string, listener: Listener, signal: AbortSignal): { anew(): void } {
  let last: string | null = null;
  let current = new AbortController();
  const again = () => current.abort();
  addEventListener("online", again, { signal });
  document.addEventListener("visibilitychange", again, { signal });
  signal.addEventListener("abort", again);
  void (async () => {
    let failures = 0;
    while (!signal.aborted) {
      current = new AbortController();
      if (document.hidden) {
        await pause(3600, current.signal);
        continue;
      }
      try {
        await listen(
          address,
          last,
          current,
          (message) => {
            failures = 0;
            last = message.id || last;
            listener.message(message);
          },
          () => listener.live(true),
        );
        failures = 0;
      } catch {
        listener.live(false);
        // Woken by the browser: the network or the visitor is back, so there is nothing to wait for.
        failures = current.signal.aborted ? 0 : failures + 1;
      }
      await pause(pauseBefore(failures, Math.random()), signal);
    }
  })();
  return {
    anew() {
      last = null;
      again();
    },
  };
}

async function listen(
  address: string,
  last: string | null,
  current: AbortController,
  tell: (message: Message) => void,
  connected: () => void,
): Promise<void> {
  const headers = { Accept: "text/event-stream", ...(last === null ? {} : { "Last-Event-ID": last }) };
  const answer = await fetch(address, { headers, cache: "no-store", signal: current.signal });
  if (!answer.ok || answer.body === null) throw new Error(`the stream answered ${answer.status}`);
  const read = messageReader();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let isConnected = false;
  for (;;) {
    const timer = setTimeout(() => void reader.cancel().catch(() => undefined), SILENCE_SECONDS_MAX * 1000);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    for (const message of read(value)) tell(message);
    // Only now what is shown is what there is; somebody who missed nothing gets a comment at once.
    if (!isConnected) connected();
    isConnected = true;
  }
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, seconds * 1000);
    signal.addEventListener("abort", over);
  });
}
