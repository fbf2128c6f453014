#!/usr/bin/env bash
# The queues of a cluster on a NATS server that is there already, a process of its own: the rows are those of one machine,
# also when that server is restarted meanwhile; a finished job leaves no stream there. usage: nats.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
CGO_ENABLED=0 go build -o "$tmp/nats-server" github.com/nats-io/nats-server/v2
web -hosts 20 -pages 100 -latency 10ms -not-found 0.03 -redirect 0.03 -disallowed 0.03
p=$(port); n=$(port)
cat >"$tmp/nats.conf" <<C
listen: 127.0.0.1:$n
jetstream { store_dir: "$tmp/nats" }
authorization { users: [ { user: trawl, password: open-sesame } ] }
monitor_port: $((n + 1))
C
server() { "$tmp/nats-server" -c "$tmp/nats.conf" >>"$tmp/nats.log" 2>&1 & nats=$!; }
streams() { wget -q -O - "http://127.0.0.1:$((n + 1))/jsz" | python3 -c 'import json,sys; print(json.load(sys.stdin)["streams"])'; }
echo "nats: nats://trawl:open-sesame@127.0.0.1:$n" >"$tmp/node.yaml"
server; sleep 1

"$trawl" crawl "$tmp/seeds.txt" --dir "$tmp/single" --delay 200ms --export "$tmp/single.jsonl" --quiet || fail "the single run: $?"
reset_audit
"$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/job" --config "$tmp/node.yaml" --bind "127.0.0.1:$p" --delay 200ms \
  --lease 4s --renew 1s --grace 1s --export "$tmp/job.jsonl" --quiet >"$tmp/job.log" 2>&1 & scheduler=$!
fetchers=()
for i in 1 2 3; do
  "$trawl" fetcher --join "127.0.0.1:$p" --dir "$tmp/f$i" --name "f$i" --config "$tmp/node.yaml" --quiet >"$tmp/f$i.log" 2>&1 & fetchers+=($!)
done
sleep 5
[ "$(streams)" = 2 ] || fail "$(streams) streams on the server, want 2: $(cat "$tmp/job.log" "$tmp/f1.log")"
kill -9 $nats || fail "the server is gone: $(tail -5 "$tmp/nats.log")"; wait $nats 2>/dev/null || true
sleep 2; server
sleep 3
kill -9 $scheduler || fail "the scheduler is gone: $(head -20 "$tmp/job.log")"; wait $scheduler 2>/dev/null || true
"$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/job" --config "$tmp/node.yaml" --bind "127.0.0.1:$p" --delay 200ms \
  --lease 4s --renew 1s --grace 1s --export "$tmp/job.jsonl" --quiet >>"$tmp/job.log" 2>&1 & scheduler=$!
wait $scheduler || fail "the scheduler ended with $?: $(tail -5 "$tmp/job.log")"
for f in "${fetchers[@]}"; do wait "$f" || fail "a fetcher ended with $?: $(tail -3 "$tmp"/f?.log)"; done
same_rows "$tmp/single.jsonl" "$tmp/job.jsonl"
"$trawl" check "$tmp/job" >"$tmp/check.log" 2>&1 || fail "trawl check: $(cat "$tmp/check.log")"
[ "$(streams)" = 0 ] || fail "$(streams) streams stayed on the server"
! grep -rq open-sesame "$tmp"/*.log "$tmp/job" || fail "the password is in a log or in the directory: $(grep -rl open-sesame "$tmp"/*.log "$tmp/job")"
audit
python3 - "$tmp/audit.json" <<'PY' || fail "impolite"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
print(f"smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once, {a['disallowed']} disallowed, {a['repeats']} repeats")
sys.exit(not (a["min_gap_ns"] >= 195e6 and a["max_concurrency"] == 1 and a["disallowed"] == 0))
PY
echo ok
