#!/usr/bin/env bash
# The pace of many polite hosts: 200 hosts with a delay of 1 s give at least 95 % of what that allows between second
# 10 and 70, and at least 80 % when one of three fetchers is killed (-9) in between; never less than 1 s between two
# requests to a host. usage: pace.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }
answer=0.05 # seconds, the median answer time of the web

go build -o "$tmp/webfarm" ./internal/webfarm/cmd/webfarm
"$tmp/webfarm" -hosts 200 -pages 200 -latency 50ms -seeds "$tmp/seeds.txt" -control 127.0.0.1:0 >"$tmp/farm.log" 2>&1 &
for _ in $(seq 100); do [ -s "$tmp/seeds.txt" ] && break; sleep 0.1; done
control=$(grep -o 'http://127.0.0.1:[0-9]*/__audit' "$tmp/farm.log" | head -1 | sed 's,/__audit,,')
[ -n "$control" ] || fail "the synthetic web did not start: $(cat "$tmp/farm.log")"
port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')

asked() { wget -q -O - "$control/__audit" | python3 -c 'import json,sys; print(json.load(sys.stdin)["total"]["pages"])'; }

round() { # NAME LEAST [kill]
  wget -q -O /dev/null --method=POST "$control/__reset"
  "$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/$1" --delay 1s --bind "127.0.0.1:$port" --quiet >"$tmp/$1.log" 2>&1 & scheduler=$!
  local fetchers=()
  for i in 1 2 3; do
    "$trawl" fetcher --join "127.0.0.1:$port" --dir "$tmp/$1-f$i" --name "f$i" --quiet >>"$tmp/$1.log" 2>&1 & fetchers+=($!)
  done
  sleep 10
  local first; first=$(asked)
  sleep 20
  if [ "${3:-}" = kill ]; then kill -9 "${fetchers[1]}"; fi
  sleep 40
  local last; last=$(asked)
  kill -INT $scheduler; wait $scheduler || true
  kill "${fetchers[@]}" 2>/dev/null || true
  wait "${fetchers[@]}" 2>/dev/null || true
  wget -q -O "$tmp/audit.json" "$control/__audit"
  python3 - "$tmp/audit.json" "$1" "$first" "$last" "$2" "$answer" <<'PY' || fail "$1"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
name, first, last, least, answer = sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6])
rate, most = (last - first) / 60, 200 / (1 + answer)
gap = a["min_gap_ns"] / 1e6
print(f"{name}: {rate:.1f} pages/s, {rate / most:.1%} of {most:.1f}; smallest gap {gap:.1f} ms, at most {a['max_concurrency']} at once")
sys.exit(not (rate >= least * most and gap >= 995 and a["max_concurrency"] == 1))
PY
}

round calm 0.95
round killed 0.80 kill
echo ok
