import { paths } from "../paths.ts";
import { go, Link, place } from "../router.tsx";
import { isKnown, logOut, user } from "../session/session.ts";
import { language, languages, speak, t } from "../texts/index.ts";

export function Header() {
  const { menu } = t();
  const here = location.pathname + location.search;
  const isAccount = place.value.page === "log-in" || place.value.page === "register";
  return (
    <header class="top">
      <Link class="mark" to={paths.events}>
        Overbookr
      </Link>
      <nav aria-label={menu.main}>
        {user.value?.role === "admin" && (
          <Link to={paths.panel()} aria-current={place.value.page === "panel" ? "page" : undefined}>
            {menu.panel}
          </Link>
        )}
        {user.value && (
          <Link to={paths.bookings} aria-current={place.value.page === "bookings" ? "page" : undefined}>
            {menu.bookings}
          </Link>
        )}
        {user.value && (
          <button
            type="button"
            class="plain"
            title={user.value.email}
            onClick={() => void logOut().then(() => go(paths.events))}
          >
            {menu.logOut}
          </button>
        )}
        {isKnown.value && !user.value && !isAccount && <Link to={paths.logIn(here)}>{menu.logIn}</Link>}
        <Languages />
      </nav>
    </header>
  );
}

function Languages() {
  const { menu } = t();
  return (
    <select
      class="plain"
      aria-label={menu.language}
      value={language.value}
      onChange={(event) => void speak(event.currentTarget.value, { remember: true })}
    >
      {languages.map((tag) => (
        <option key={tag} value={tag}>
          {tag.toUpperCase()}
        </option>
      ))}
    </select>
  );
}
