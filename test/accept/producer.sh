#!/usr/bin/env bash
# A slow producer feeds a crawl: producer | trawl crawl -. It is killed (-9) at 20 moments before the last seed is read, stopped,
# interrupted, hung up, and its machine lost: a backup that was taken while it ran is restored elsewhere. Each time it goes on by
# the same command with the producer again, and at the end there is what an undisturbed run finds. usage: producer.sh TRAWL [KILLS]
set -euo pipefail
trawl=$(realpath "$1"); kills=${2:-20}
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
delay=300; lease=3; grace=1; every=0.2
web -hosts 40 -pages 60 -latency 10ms -jitter 20ms -not-found 0.03 -redirect 0.03 -disallowed 0.03
settings="--delay ${delay}ms --lease ${lease}s --renew 1s --grace ${grace}s --quiet"

producer() { while read -r url; do echo "$url" || return 0; sleep $every; done <"$tmp/seeds.txt"; }
crawl() { # DIR: in the background; sets $job
  producer 2>/dev/null | "$trawl" crawl - --dir "$tmp/$1" $settings --export "$tmp/$1.jsonl" 2>>"$tmp/$1.log" & job=$!
}
some() { python3 -c "import random; print(random.uniform($1, $2))"; }
ends() { # STATUS WHAT: the job ends so
  local status=0; wait $job || status=$?
  [ $status = "$1" ] || fail "$2: status $status instead of $1: $(tail -3 "$tmp"/*.log)"
}
balanced() { # DIR
  "$trawl" check "$tmp/$1" --json >"$tmp/check.json" 2>&1 || true
  python3 -c 'import json,sys; sys.exit(not json.load(open(sys.argv[1]))["balances"])' "$tmp/check.json" || fail "the ledger does not balance: $(head -c 500 "$tmp/check.json")"
}

crawl calm; ends 0 "the undisturbed run"
reset_audit

for i in $(seq "$kills"); do
  crawl first
  sleep "$(some 0.1 2.5)"
  kill -0 $job 2>/dev/null || fail "it ended before kill $i: $(tail -3 "$tmp/first.log")"
  kill -9 $job; wait $job 2>/dev/null || true
  ! [ -d "$tmp/first/ledger" ] || balanced first
done
echo "$kills kills: $(number "$tmp/first" seen) URLs seen, $(number "$tmp/first" fetched) fetched"
[ "$(number "$tmp/first" waiting)" -gt 0 ] || fail "nothing waits any more: the kills came too late"

for end in TERM HUP stop; do
  crawl first
  until [ "$("$trawl" status "$tmp/first" --json 2>/dev/null | sed -n 's/^  "state": "\(.*\)",$/\1/p')" = running ]; do
    kill -0 $job 2>/dev/null || fail "it did not start for $end: $(tail -3 "$tmp/first.log")"
    sleep 0.05
  done
  sleep 0.5
  if [ $end = stop ]; then "$trawl" stop "$tmp/first" >/dev/null; else kill -$end $job; fi
  ends 4 "after $end"
  balanced first
done

crawl first
sleep 2
"$trawl" backup "$tmp/first" -o "$tmp/kept" >/dev/null || fail "trawl backup: $?"
sleep 0.5
kill -9 $job; wait $job 2>/dev/null || true
"$trawl" restore "$tmp/kept" --dir "$tmp/second" >/dev/null || fail "trawl restore: $?"
cp -r "$tmp/first/archive" "$tmp/second/"
crawl second
sleep "$(some 0.5 3)"
kill -9 $job; wait $job 2>/dev/null || true
crawl second
sleep $((lease + grace + 2))
"$trawl" stop "$tmp/second" >/dev/null; ends 4 "the restored crawl, stopped"
crawl second; ends 0 "the last run"

same_rows "$tmp/calm.jsonl" "$tmp/second.jsonl"
balanced second
[ "$(number "$tmp/second" waiting)$(number "$tmp/second" leased)" = 00 ] || fail "something still waits"
! grep -q '"reason":"lost"' "$tmp/second.jsonl" || fail "the ends were blamed on URLs"
audit
python3 - "$tmp/audit.json" $delay <<'PY' || fail "the audit of the web"
import json, sys
a, delay = json.load(open(sys.argv[1]))["total"], int(sys.argv[2])
print(f"asked {a['requests']} times, {a['repeats']} repeats, smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once, {a['disallowed']} disallowed")
sys.exit(not (a["min_gap_ns"] >= (delay - 5) * 1e6 and a["max_concurrency"] == 1 and a["disallowed"] == 0))
PY
echo "ok: $(wc -l <"$tmp/second.jsonl") rows"
