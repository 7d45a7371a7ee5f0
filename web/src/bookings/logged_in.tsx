import type { ComponentChildren } from "preact";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { isKnown, user } from "../session/session.ts";
import { t } from "../texts/index.ts";

/** What only somebody who is logged in can see, or the way to log in. */
export function LoggedIn({ children }: { children: ComponentChildren }) {
  const { account } = t();
  if (user.value !== null) return <>{children}</>;
  if (!isKnown.value) return null;
  return (
    <>
      <p>{account.needed}</p>
      <Link class="button main" to={paths.logIn(location.pathname)}>
        {account.logIn}
      </Link>
    </>
  );
}
