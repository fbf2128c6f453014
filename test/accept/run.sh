#!/usr/bin/env bash
# The README's first command from a fresh clone: the main job on a real example, at most 30 s after the build.
# usage: run.sh TRAWL (not used: the clone builds its own)
set -euo pipefail
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }
git clone -q . "$tmp/trawl"
cd "$tmp/trawl"
make build
begin=$(date +%s)
make run >"$tmp/run.log" 2>&1 || fail "make run: $(tail -20 "$tmp/run.log")"
took=$(($(date +%s) - begin))
for word in '\$ trawl scheduler' '\$ trawl fetcher --join' 'URLs seen = ' 'rows in demo.trawl/pages.jsonl'; do
  grep -q "$word" "$tmp/run.log" || fail "make run does not show: $word"
done
[ "$(grep -c '\$ trawl fetcher' "$tmp/run.log")" = 3 ] || fail "not three fetchers"
! grep -q '^web .*impolite' "$tmp/run.log" || fail "$(grep impolite "$tmp/run.log")"
[ $took -le 30 ] || fail "make run took $took s"
echo "ok: make run took $took s: $(grep 'URLs seen' "$tmp/run.log")"
