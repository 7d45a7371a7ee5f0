import type { ComponentChildren } from "preact";
import type { Refusal } from "../api/problem.ts";
import { t, words } from "../texts/index.ts";

/** A refusal, said where it happened and read out at once. */
export function Notice({ refusal, again }: { refusal: Refusal | null; again?: () => void }) {
  return (
    <div role="alert">
      {refusal && (
        <p class="notice">
          {words(refusal)}{" "}
          {again && (
            <button type="button" class="plain" onClick={again}>
              {t().again}
            </button>
          )}
        </p>
      )}
    </div>
  );
}

export function Said({ children }: { children: ComponentChildren }) {
  return (
    <div role="status" class="unseen">
      {children}
    </div>
  );
}
