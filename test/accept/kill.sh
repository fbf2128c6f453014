#!/usr/bin/env bash
# kill -9 of the whole program at 20 moments of a crawl, each continued by the same command: nothing lost, nothing
# doubled, nobody asked too early, and no more repeats at the server than URLs that were leased at a kill.
# usage: kill.sh TRAWL [KILLS]
set -euo pipefail
trawl=$(realpath "$1"); kills=${2:-20}
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

go build -o "$tmp/webfarm" ./internal/webfarm/cmd/webfarm
"$tmp/webfarm" -hosts 50 -pages 100 -latency 60ms -jitter 40ms -not-found 0.03 -redirect 0.03 -disallowed 0.03 \
  -seeds "$tmp/seeds.txt" -control 127.0.0.1:0 >"$tmp/farm.log" 2>&1 &
for _ in $(seq 100); do [ -s "$tmp/seeds.txt" ] && break; sleep 0.1; done
control=$(grep -o 'http://127.0.0.1:[0-9]*/__audit' "$tmp/farm.log" | head -1 | sed 's,/__audit,,')
[ -n "$control" ] || fail "the synthetic web did not start: $(cat "$tmp/farm.log")"

run() { "$trawl" crawl "$tmp/seeds.txt" --dir "$1" --delay 500ms --export "$1.jsonl" --quiet; }
number() { "$trawl" status "$1" --json 2>/dev/null | sed -n "s/^  \"$2\": \([0-9]*\),*$/\1/p" | head -1; }
equal() { # the columns in which two runs must agree
  python3 - "$1" <<'PY'
import json, sys
keys = ["url", "outcome", "reason", "status", "digest", "bytes", "truncated", "redirect_to"]
for row in sorted(json.dumps([json.loads(line)[k] for k in keys]) for line in open(sys.argv[1])):
    print(row)
PY
}

balanced() { # the ledger's counts add up, recounted by reading it
  "$trawl" check "$1" --json >"$tmp/check.json" 2>&1 || true
  python3 - "$tmp/check.json" <<'PY'
import json, sys
sys.exit(not json.load(open(sys.argv[1]))["balances"])
PY
}

begin=$(date +%s)
run "$tmp/calm" 2>"$tmp/calm.log" || fail "the undisturbed run: $(cat "$tmp/calm.log")"
calm=$(($(date +%s) - begin))
rows=$(wc -l <"$tmp/calm.jsonl"); pages=$(number "$tmp/calm" fetched)
wget -q -O /dev/null --method=POST "$control/__reset" || fail "the audit could not be reset"

leased=0
for i in $(seq "$kills"); do
  "$trawl" crawl "$tmp/seeds.txt" --dir "$tmp/killed" --delay 500ms --quiet 2>>"$tmp/killed.log" & job=$!
  want=$((pages * i / (kills + 1)))
  for _ in $(seq 1200); do
    kill -0 $job 2>/dev/null || fail "it ended before kill $i: $(tail -3 "$tmp/killed.log")"
    seen=$(( $(number "$tmp/killed" fetched || echo 0) + 0 ))
    [ "$seen" -ge "$want" ] && break
    sleep 0.05
  done
  kill -9 $job; wait $job 2>/dev/null || true
  now=$(number "$tmp/killed" leased); leased=$((leased + now))
  balanced "$tmp/killed" || fail "the ledger does not balance after kill $i: $(head -c 500 "$tmp/check.json")"
  echo "kill $i at $(number "$tmp/killed" fetched) fetched, $now leased"
done
run "$tmp/killed" 2>>"$tmp/killed.log" || fail "the last run: $(tail -3 "$tmp/killed.log")"

equal "$tmp/calm.jsonl" >"$tmp/calm.rows"; equal "$tmp/killed.jsonl" >"$tmp/killed.rows"
diff "$tmp/calm.rows" "$tmp/killed.rows" >"$tmp/diff" || fail "rows differ: $(head -5 "$tmp/diff")"
[ "$(number "$tmp/killed" waiting)$(number "$tmp/killed" leased)" = 00 ] || fail "something still waits"
"$trawl" check "$tmp/killed" || fail "trawl check"
wget -q -O "$tmp/audit.json" "$control/__audit"
python3 - "$tmp/audit.json" "$leased" <<'PY' || fail "the audit of the web"
import json, sys
a, leased = json.load(open(sys.argv[1]))["total"], int(sys.argv[2])
gap = a["min_gap_ns"] / 1e6
print(f"asked {a['requests']} times, {a['repeats']} repeats of at most {leased}, smallest gap {gap:.1f} ms, at most {a['max_concurrency']} at once, {a['disallowed']} disallowed")
sys.exit(not (a["repeats"] <= leased and gap >= 495 and a["max_concurrency"] == 1 and a["disallowed"] == 0))
PY
echo "ok: $rows rows equal after $kills kills; undisturbed $calm s"
