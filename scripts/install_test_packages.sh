#!/usr/bin/env bash
# Installs the Debian packages that only tests need. Where that cannot be done, the tests that need them say so and
# are skipped; on CI they fail instead.
set -u
missing=()
command -v wrk >/dev/null || missing+=(wrk)
[ -x /usr/lib/postgresql/15/bin/postgres ] || missing+=(postgresql-15)
# The tools bring the server's program without starting a server.
command -v redis-server valkey-server redis-check-rdb >/dev/null || missing+=(redis-tools)
compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
command -v chromium >/dev/null || missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Not installed (needs root and apt): ${missing[*]}; tests that need them are skipped." >&2
  exit 0
fi
log=$(mktemp)
# No cluster is made or started by the package; the tests start their own.
export DEBIAN_FRONTEND=noninteractive
if { apt-get update && apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confdef "${missing[@]}"; } >"$log" 2>&1; then
  echo "Installed for the tests: ${missing[*]}"
else
  echo "Could not install ${missing[*]}; tests that need them are skipped. The last lines were:" >&2
  tail -5 "$log" >&2
fi
rm -f "$log"
exit 0
