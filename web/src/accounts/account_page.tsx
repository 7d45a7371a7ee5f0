import { useSignal } from "@preact/signals";
import type { JSX, TargetedSubmitEvent } from "preact";
import type { Refusal } from "../api/problem.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { go, Link } from "../router.tsx";
import { logIn, register } from "../session/session.ts";
import { t } from "../texts/index.ts";

export function AccountPage({ isNew, then }: { isNew: boolean; then: string }) {
  const { account } = t();
  const refusal = useSignal<Refusal | null>(null);
  const isWorking = useSignal(false);
  useTitle(isNew ? account.register : account.logIn);

  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isWorking.value) return;
    isWorking.value = true;
    const given = new FormData(event.currentTarget);
    const field = (name: string) => String(given.get(name) ?? "");
    refusal.value = isNew
      ? await register(field("name"), field("email"), field("password"))
      : await logIn(field("email"), field("password"));
    isWorking.value = false;
    if (refusal.value === null) go(then, { replace: true });
  };

  return (
    <section class="narrow">
      <h1>{isNew ? account.register : account.logIn}</h1>
      <form class="stacked" onSubmit={(event) => void submit(event)}>
        {isNew && <Field name="name" label={account.name} autocomplete="name" />}
        <Field name="email" label={account.email} type="email" autocomplete="email" />
        <Field
          name="password"
          label={account.password}
          type="password"
          autocomplete={isNew ? "new-password" : "current-password"}
          {...(isNew ? { hint: account.passwordRule, minLength: 8 } : {})}
        />
        <Notice refusal={refusal.value} />
        <button type="submit" class="button main" aria-disabled={isWorking.value}>
          {isWorking.value ? account.working : isNew ? account.register : account.logIn}
        </button>
      </form>
      <p class="quiet">
        {isNew ? account.known : account.new}{" "}
        <Link to={isNew ? paths.logIn(then) : paths.register(then)}>{isNew ? account.logIn : account.register}</Link>
      </p>
    </section>
  );
}

type FieldProperties = JSX.IntrinsicElements["input"] & { name: string; label: string; hint?: string };

function Field({ name, label, hint, ...rest }: FieldProperties) {
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input id={name} name={name} required aria-describedby={hint ? `${name}-hint` : undefined} {...rest} />
      {hint && (
        <p id={`${name}-hint`} class="hint">
          {hint}
        </p>
      )}
    </div>
  );
}
