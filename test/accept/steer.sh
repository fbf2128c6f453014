#!/usr/bin/env bash
# Steering a running job with three fetchers: pause, a longer delay, 10,000 added seeds, resume and stop each take effect
# within 6 s and outlive a kill (-9) of the scheduler; the fetchers go on within 10 s of its return.
# usage: steer.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
web -hosts 40 -pages 400 -latency 5ms
p=$(port)
scheduler() {
  "$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/job" --bind "127.0.0.1:$p" --delay 200ms --quiet 2>>"$tmp/job.log" & scheduler=$!
}
asked() { audit; python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["total"]["requests"])' "$tmp/audit.json"; }
rate() { local a b; a=$(asked); sleep 3; b=$(asked); echo $(((b - a) / 3)); } # requests a second, over 3 s
answers() { for _ in $(seq 100); do "$trawl" status "$tmp/job" 2>/dev/null | head -1 | grep -qE ': (running|paused)$' && return; sleep 0.1; done; fail "the scheduler does not answer: $(tail -3 "$tmp/job.log")"; }

scheduler
for i in 1 2 3; do "$trawl" fetcher --join "127.0.0.1:$p" --dir "$tmp/f$i" --name "f$i" --quiet >>"$tmp/fetchers.log" 2>&1 & done
sleep 4; answers
r=$(rate); echo "running: $r requests/s"; [ "$r" -ge 100 ] || fail "too slow to begin with"

"$trawl" pause "$tmp/job"; sleep 6
r=$(rate); echo "6 s after pause: $r requests/s"; [ "$r" = 0 ] || fail "pause has no effect"
kill -9 $scheduler; wait $scheduler 2>/dev/null || true; scheduler; answers; sleep 3
r=$(rate); echo "paused, after a kill of the scheduler: $r requests/s"; [ "$r" = 0 ] || fail "pause does not outlive a kill"

"$trawl" set "$tmp/job" --delay 2s; "$trawl" resume "$tmp/job"; sleep 6
r=$(rate); echo "resumed with a delay of 2 s: $r requests/s"; [ "$r" -gt 5 ] && [ "$r" -le 30 ] || fail "resume or the delay has no effect"
begin=$(date +%s%N)
kill -9 $scheduler; wait $scheduler 2>/dev/null || true; scheduler; answers
before=$(asked); for _ in $(seq 100); do [ "$(asked)" -gt "$before" ] && break; sleep 0.1; done
echo "asked again $((($(date +%s%N) - begin) / 1000000)) ms after the kill"
sleep 6; r=$(rate); [ "$r" -gt 5 ] && [ "$r" -le 30 ] || fail "the delay does not outlive a kill: $r requests/s"

seen=$(number "$tmp/job" seen)
python3 -c 'print("\n".join(f"http://127.9.{i // 250}.{i % 250 + 1}:9/" for i in range(10000)))' >"$tmp/more.txt"
"$trawl" add "$tmp/job" "$tmp/more.txt"
now=$(number "$tmp/job" seen); echo "seen $seen, then $now"; [ "$now" -ge $((seen + 10000)) ] || fail "the seeds were not added"
kill -9 $scheduler; wait $scheduler 2>/dev/null || true; scheduler; answers
[ "$(number "$tmp/job" seen)" -ge "$now" ] || fail "the seeds do not outlive a kill"

"$trawl" stop "$tmp/job"; begin=$(date +%s)
set +e; wait $scheduler; status=$?; set -e
took=$(($(date +%s) - begin)); echo "stopped with status $status after $took s"
[ $status = 4 ] && [ $took -le 10 ] || fail "stop"
audit
python3 - "$tmp/audit.json" <<'PY' || fail "impolite"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
print(f"smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once")
sys.exit(not (a["min_gap_ns"] >= 195e6 and a["max_concurrency"] == 1))
PY
echo ok
