import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Refusal, Result } from "../api/problem.ts";

export type Loaded<Value> =
  | { state: "loading" }
  | { state: "here"; value: Value }
  | { state: "refused"; refusal: Refusal };

/** What `load` brings, asked for again whenever `key` is another one. An answer to an earlier question is dropped. */
export function useLoaded<Value>(key: string, load: () => Promise<Result<Value>>): Signal<Loaded<Value>> {
  const loaded = useSignal<Loaded<Value>>({ state: "loading" });
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` says all that `load` depends on.
  useEffect(() => {
    let isCurrent = true;
    void load().then((result) => {
      if (!isCurrent) return;
      loaded.value = result.ok ? { state: "here", value: result.value } : { state: "refused", refusal: result.refusal };
    });
    return () => {
      isCurrent = false;
    };
  }, [key]);
  return loaded;
}
