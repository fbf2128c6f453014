#!/usr/bin/env bash
# Runs cases side by side: small programs that other people wrote, each in a folder with its own server, which run trawl as a
# user would and end with 0 when all is as it should be. Most of their time is waiting.
# usage: cases.sh TRAWL DIRECTORY [NAME…]
set -euo pipefail
TRAWL=$(realpath "$1"); export TRAWL PYTHONDONTWRITEBYTECODE=1
cd "$2"; shift 2
[ $# -gt 0 ] || set -- */
at_once=6
limit=900 # seconds for a case
out=$(mktemp -d); trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$out"' EXIT
try() { timeout "$limit" python3 "$1/case.py" >"$out/$1" 2>&1 </dev/null; }
one() { if try "$1"; then echo "ok    $1"; else echo "$1" >>"$out/again"; fi; }
for name in "$@"; do
  while [ "$(jobs -pr | wc -l)" -ge $at_once ]; do wait -n || true; done
  one "${name%/}" &
done
wait
[ -e "$out/again" ] || exit 0
# Cases have limits of time, and side by side the machine may be too slow for one: what failed is tried once more, alone.
failed=0
while read -r name; do
  if try "$name"; then echo "ok    $name (alone)"; else echo "FAIL  $name"; sed 's/^/        /' "$out/$name"; failed=1; fi
done <"$out/again"
exit $failed
