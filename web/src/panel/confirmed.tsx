import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

interface ConfirmedProperties {
  label: string;
  question: string;
  yes: string;
  no: string;
  isWorking?: boolean;
  act: () => void;
}

/** A button for what cannot be taken back: it asks first, and says what will happen. */
export function Confirmed({ label, question, yes, no, isWorking = false, act }: ConfirmedProperties) {
  const isAsked = useSignal(false);
  const answers = useRef<HTMLButtonElement>(null);
  const first = useRef<HTMLButtonElement>(null);
  const wasAsked = useRef(false);
  // Whoever came by keyboard goes on at the question, and afterwards where they were.
  useEffect(() => {
    if (isAsked.value) answers.current?.focus();
    else if (wasAsked.current) first.current?.focus();
    wasAsked.current = isAsked.value;
  }, [isAsked.value]);
  if (!isAsked.value) {
    return (
      <button
        ref={first}
        type="button"
        class="button danger"
        aria-disabled={isWorking}
        onClick={() => {
          isAsked.value = !isWorking;
        }}
      >
        {label}
      </button>
    );
  }
  return (
    <fieldset class="sure">
      <legend>{question}</legend>
      <button
        type="button"
        class="button danger"
        onClick={() => {
          isAsked.value = false;
          act();
        }}
      >
        {yes}
      </button>
      <button
        ref={answers}
        type="button"
        class="button"
        onClick={() => {
          isAsked.value = false;
        }}
      >
        {no}
      </button>
    </fieldset>
  );
}
