#!/usr/bin/env bash
# The scheduler's machine is lost: a scheduler and three fetchers at work, a backup taken meanwhile, the scheduler killed (-9)
# and its directory gone; the backup is restored elsewhere and goes on at another port. Nothing is lost but what came since,
# nobody is asked too early, the old scheduler that comes back stops and says why. usage: backup.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
hosts=30; delay=500; lease=4; grace=1
web -hosts $hosts -pages 80 -latency 10ms -jitter 20ms -not-found 0.03 -redirect 0.03 -disallowed 0.03
"$trawl" secret >"$tmp/secret"; chmod 600 "$tmp/secret"
p=$(port); q=$(port)

scheduler() { # DIR PORT [FLAG…]
  local dir=$1 at=$2; shift 2
  "$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/$dir" --bind "127.0.0.1:$at" --secret-file "$tmp/secret" --delay ${delay}ms \
    --lease ${lease}s --renew 1s --grace ${grace}s --export "$tmp/$dir.jsonl" --quiet "$@" >>"$tmp/$dir.log" 2>&1 & scheduler=$!
}
fetcher() { # NAME: sets $fetcher
  "$trawl" fetcher --join "127.0.0.1:$p" --secret-file "$tmp/secret" --dir "$tmp/dir-$1" --name "$1" --quiet >"$tmp/$1.log" 2>&1 & fetcher=$!
}
asked() { audit; python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["total"]["requests"])' "$tmp/audit.json"; }
now() { date +%s%N; }

"$trawl" crawl "$tmp/seeds.txt" --dir "$tmp/single" --delay ${delay}ms --export "$tmp/single.jsonl" --quiet || fail "the single run: $?"
reset_audit

scheduler first $p --backup-every 2s --backup-to "$tmp/kept"
fetcher a; a=$fetcher; fetcher b; b=$fetcher; fetcher c; c=$fetcher
for _ in $(seq 300); do [ "$(number "$tmp/first" fetched || true)" -ge 500 ] 2>/dev/null && break; sleep 0.1; done
begin=$(now)
"$trawl" backup "127.0.0.1:$((p + 2))" --secret-file "$tmp/secret" -o "$tmp/first.trawl-backup" || fail "trawl backup: $?"
echo "backup in $((($(now) - begin) / 1000000)) ms, $(stat -c %s "$tmp/first.trawl-backup") bytes, at $(number "$tmp/first" fetched) pages"
backed=$(asked)
[ "$(stat -c %a "$tmp/first.trawl-backup")" = 600 ] || fail "the backup can be read by others"
sleep 3
leased=$(number "$tmp/first" leased)
kill -9 $scheduler; wait $scheduler 2>/dev/null || true
mv "$tmp/first" "$tmp/lost"
lost=$(asked)
kept=$(find "$tmp/kept" -name 'first-*.trawl-backup' | wc -l)
[ "$kept" -ge 1 ] && [ "$kept" -le 3 ] || fail "$kept timed backups are kept: $(ls -la "$tmp/kept")"

"$trawl" restore "$tmp/first.trawl-backup" --dir "$tmp/second" || fail "trawl restore: $?"
cp -r "$tmp/lost/archive" "$tmp/second/" # the bodies, which a user would have copied as they came
back=$(now)
scheduler second $q
# It knows the fetchers from the backup. None asks before the rights of the life before have ended.
while ! grep -q 'nobody is asked before' "$tmp/second/trawl.log" 2>/dev/null; do
  kill -0 $scheduler 2>/dev/null || fail "the restored scheduler: $(cat "$tmp/second.log")"
  [ $((($(now) - back) / 1000000)) -lt 10000 ] || fail "the restored scheduler did not start"
  sleep 0.05
done
sleep 2; silent=$(asked); sleep $((lease + grace - 3)); still=$(asked)
[ "$silent" -le $((lost + leased + hosts)) ] || fail "the fetchers worked on as if nothing had happened: $lost requests, then $silent"
while [ "$(asked)" = "$still" ]; do
  [ $((($(now) - back) / 1000000)) -lt 40000 ] || fail "nothing is asked 40 s after the restore: $(tail -n 3 "$tmp"/*.log)"
  sleep 0.1
done
echo "the first request came $((($(now) - back) / 1000000)) ms after the restored scheduler was started, of at least $((lease * 1000 + grace * 1000 + delay)) ms"
[ $((($(now) - back) / 1000000)) -ge $((lease * 1000 + grace * 1000 + delay)) ] || fail "too early"

# The lost machine comes back, in the middle of it.
sleep 4
restored=$scheduler
begin=$(now)
scheduler lost $p; old=$scheduler; scheduler=$restored
set +e; wait $old; status=$?; set -e
echo "the old scheduler: exit $status after $((($(now) - begin) / 1000000)) ms: $(grep '^trawl:' "$tmp/lost.log")"
[ $status = 5 ] && [ "$(grep -c '^trawl:' "$tmp/lost.log")" = 1 ] || fail "the old scheduler: $(cat "$tmp/lost.log")"
grep -q 'goes on with this crawl, from a backup' "$tmp/lost.log" || fail "it does not say why"

wait $scheduler || fail "the restored scheduler ended with $?: $(tail -3 "$tmp/second.log")"
for f in $a $b $c; do wait "$f" || fail "a fetcher ended with $?: $(cat "$tmp"/[abc].log)"; done
same_rows "$tmp/single.jsonl" "$tmp/second.jsonl"
[ "$(number "$tmp/second" waiting)$(number "$tmp/second" leased)" = 00 ] || fail "something still waits"
"$trawl" check "$tmp/second" >"$tmp/check.log" 2>&1 || echo "check: $(grep -c problem "$tmp/check.log") problems, the first: $(grep problem "$tmp/check.log" | head -1)"
grep -q '^ledger balances' "$tmp/check.log" || fail "trawl check: $(cat "$tmp/check.log")"
audit
python3 - "$tmp/audit.json" "$backed" "$lost" "$leased" $delay $hosts <<'PY' || fail "the audit of the web"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
backed, lost, leased, delay, hosts = map(int, sys.argv[2:])
most = lost - backed + leased + hosts  # robots.txt of a host that was first asked after the backup is asked for again
print(f"asked {a['requests']} times, {a['repeats']} repeats of at most {most}, smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once, {a['disallowed']} disallowed")
sys.exit(not (a["repeats"] <= most and a["min_gap_ns"] >= (delay - 5) * 1e6 and a["max_concurrency"] == 1 and a["disallowed"] == 0))
PY
echo ok
