"""Defects of the limits by user and address."""

from proof.mutants.mutant import defect, tests

_ADDRESSES = "http/addresses.py"
_ALLOWANCES = "http/allowances.py"

ALLOWANCES = (
    defect(
        "allowance-never-spent",
        "However many requests a user sends, the next one is within the allowance.",
        _ALLOWANCES,
        "        recent[key] = whole_at\n",
        "",
        tests("http/test_allowances.py::test_an_allowance_is_that_many_at_once_and_that_many_a_minute"),
        tests("http/test_allowances.py::test_each_kind_of_request_has_its_allowance"),
    ),
    defect(
        "allowance-shared-by-all",
        "All users together have the allowance of one.",
        _ALLOWANCES,
        "            key = principal.user_id\n",
        '            key = "anybody"\n',
        tests("http/test_allowances.py::test_each_kind_of_request_has_its_allowance"),
    ),
    defect(
        "allowance-forgotten-at-the-turn",
        "Once a minute everybody may send a whole allowance at once.",
        _ALLOWANCES,
        "self._older, self._recent, self._turned_at = recent, {}, now",
        "self._older, self._recent, self._turned_at = {}, {}, now",
        tests("http/test_allowances.py::test_what_was_spent_is_remembered_for_a_minute_and_then_forgotten"),
    ),
    defect(
        "anybody-names-their-address",
        "X-Forwarded-For is believed, whoever sends it.",
        _ADDRESSES,
        "        if not is_trusted:\n            return key\n",
        "",
        tests("http/test_addresses.py::test_without_trusted_proxies_forwarded_headers_are_not_believed"),
        tests("http/test_addresses.py::test_a_peer_that_is_no_trusted_proxy_speaks_for_itself"),
    ),
    defect(
        "leftmost-address-counts",
        "A client names the address that its own requests are counted by.",
        _ADDRESSES,
        'in reversed(",".join(values).split(","))',
        'in ",".join(values).split(",")',
        tests("http/test_addresses.py::test_the_rightmost_address_that_is_no_proxy_of_ours"),
        tests("http/test_addresses.py::test_a_client_cannot_get_rid_of_its_address"),
    ),
    defect(
        "nobody-buys-without-the-storage",
        "Requests fail while the storage that the limits share is away.",
        "http/joint_counts.py",
        "except (StorageError, OSError, TimeoutError) as error:",
        "except ZeroDivisionError as error:",
        tests("api/test_limits_of_users.py::test_requests_go_on_while_the_storage_is_away"),
    ),
)
