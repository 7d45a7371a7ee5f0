"""Defects of who may do what: tokens, policies, roles, sessions."""

from proof.mutants.mutant import defect, tests

_AUTH = "http/auth.py"
_USERS = "users/queries.sql"

ACCESS = (
    defect(
        "signature-not-compared",
        "Any token is believed, whoever signed it.",
        _AUTH,
        "if hmac.compare_digest(expected, signature) else None",
        "if len(expected) == len(signature) else None",
        tests("http/test_auth.py::test_no_forged_token_works"),
    ),
    defect(
        "revoked-token-works",
        "A token works after its user has logged out everywhere.",
        _AUTH,
        "if standing is not None and standing[0] == claims.token_version:",
        "if standing is not None:",
        tests("http/test_auth.py::test_role_and_revocation_count_from_the_next_request"),
        tests("users/test_sessions.py::test_logout_ends_every_session_at_once"),
        raises=("KeyError",),
    ),
    defect(
        "expired-token-works",
        "A token that was good once is good for ever.",
        _AUTH,
        "            if now < claims.expires_at:\n                return claims\n",
        "            if claims:\n                return claims\n",
        tests("http/test_auth.py::test_verified_tokens_are_remembered_until_they_expire"),
    ),
    defect(
        "everybody-is-an-organiser",
        "What only organisers may do, every user may.",
        _AUTH,
        'elif policy == "admin" and principal.role != "admin":',
        'elif policy == "admin" and principal.role == "":',
        tests("http/test_auth.py::test_policies"),
        tests("api/test_events.py::test_users_change_nothing"),
        raises=("KeyError",),
    ),
    defect(
        "anybody-registers-as-organiser",
        "Who registers chooses the role.",
        "users/routes.py",
        'if data.role != "user" and not _may_choose_role(state, optional_principal_of(scope)):',
        'if data.role == "" and not _may_choose_role(state, optional_principal_of(scope)):',
        tests("users/test_register.py::test_nobody_makes_themselves_an_admin"),
        raises=("KeyError",),
    ),
    defect(
        "refresh-token-works-twice",
        "A refresh token can be spent again and again.",
        _USERS,
        "   and (used_at is null or used_at > clock_timestamp() - make_interval(secs => $2))",
        "   and $2::integer is not null",
        tests("users/test_sessions.py::test_of_fifty_refreshes_at_once_one_wins"),
    ),
    defect(
        "stolen-refresh-token-ends-nothing",
        "When a spent refresh token is shown, what came of it lives on.",
        _USERS,
        " where family_id = (select family_id from refresh_tokens where token_hash = $1 and used_at is not null)",
        " where family_id = (select family_id from refresh_tokens where token_hash = $1 and used_at is null)",
        tests("users/test_sessions.py::test_reuse_ends_the_whole_family_and_no_other"),
    ),
    defect(
        "old-password-lets-in",
        "A login that was under way with the old password gets a session after the password was changed.",
        _USERS,
        "select user_id from users where user_id = $3 and token_version = $5 for share",
        "select user_id from users where user_id = $3 and $5::integer is not null",
        tests("users/test_sessions.py::test_a_login_under_way_does_not_survive_a_password_change"),
    ),
    defect(
        "guessing-unbounded",
        "Passwords of an account can be guessed without end.",
        "http/rate_limits.py",
        "        await self._check(FAILURES_BY_ACCOUNT_AND_ADDRESS, account, address)\n"
        "        await self._check(FAILURES_BY_ACCOUNT, account)\n",
        "",
        tests("users/test_sessions.py::test_guessing_is_limited"),
    ),
    defect(
        "drafts-shown-to-all",
        "Everybody can look at the seats of a draft.",
        "maps/routes.py",
        "None if kept is None or (kept.board.state.is_draft and not _is_organiser(scope)) else kept",
        "kept",
        tests("api/test_events.py::test_drafts_are_for_organisers_only"),
    ),
    defect(
        "names-run-as-formulas",
        "An event's name is a formula when a spreadsheet opens the analytics.",
        "analytics/spreadsheet.py",
        "if text.startswith(_FORMULA_STARTS) else text",
        'if text.startswith("=") else text',
        tests("analytics/test_range.py::test_no_name_becomes_a_formula_and_every_name_survives"),
    ),
)
