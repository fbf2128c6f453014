#!/usr/bin/env bash
# Load: 200 fetchers join within a minute, all work, and leave when the job is done; a million hosts in the frontier; a
# scheduler that stands still and one that is slow, while fetchers work. Memory is bounded everywhere, and nothing is
# lost. usage: load.sh TRAWL [fleet|hosts|storm]…
set -euo pipefail
trawl=$(realpath "$1"); shift
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg)"

now() { date +%s%3N; }
rss() { { cat "/proc/$1/status" 2>/dev/null || true; } | awk '/VmRSS/ {n = $2 * 1.024 / 1000} END {printf "%d", n}'; } # MB
word() { "$trawl" status "$1" --json 2>/dev/null | sed -n "s/^  \"$2\": \"\(.*\)\",*$/\1/p" | head -1 || true; }

large_web() { # OPTIONS…: a server for every address in 127.0.0.0/8; sets $at
  [ -x "$tmp/web" ] || go build -o "$tmp/web" ./test/accept/load/web
  "$tmp/web" "$@" >"$tmp/web.log" & web=$!
  for _ in $(seq 50); do grep -q port "$tmp/web.log" && break; sleep 0.1; done
  at=$(awk '{print $2}' "$tmp/web.log")
}

# seeds HOSTS URLS: so many URLs of so many hosts, all at the large web.
seeds() {
  awk -v hosts="$1" -v urls="$2" -v port="$at" 'BEGIN {
    for (i = 0; i < hosts; i++) for (n = 0; n < urls; n++)
      printf "http://127.%d.%d.%d:%d/%s\n", 64 + int(i / 65536), int(i / 256) % 256, i % 256, port, n ? "page/" n : ""
  }'
}

fleet() {
  local fleet=200 hosts=2000 urls=6 p begin joined most=0 one pid
  large_web -latency 20ms
  seeds $hosts $urls >"$tmp/fleet.txt"
  p=$(port)
  "$trawl" scheduler "$tmp/fleet.txt" --dir "$tmp/fleet" --bind "127.0.0.1:$p" --delay 6s --archive none --allow-private=127.0.0.0/8 \
    --ignore-robots --quiet >"$tmp/fleet.log" 2>&1 & scheduler=$!
  begin=$(now); pids=()
  for n in $(seq $fleet); do
    "$trawl" fetcher --join "127.0.0.1:$p" --dir "$tmp/fleet-$n" --name "f$n" --workers 8 --quiet >"$tmp/fleet-$n.log" 2>&1 & pids+=($!)
  done
  while sleep 1; do
    joined=$("$trawl" status "$tmp/fleet" --json 2>/dev/null | grep -c '"slots": 8,' || true)
    [ "$joined" = $fleet ] && break
    [ $(($(now) - begin)) -lt 60000 ] || fail "$joined of $fleet fetchers joined within a minute"
  done
  echo "$fleet fetchers joined within $(($(now) - begin)) ms"
  while kill -0 $scheduler 2>/dev/null; do
    "$trawl" status "$tmp/fleet" --json >"$tmp/fleet.json.new" 2>/dev/null && grep -q '"state": "running"' "$tmp/fleet.json.new" && mv "$tmp/fleet.json.new" "$tmp/fleet.json"
    one=$({ for pid in "${pids[@]}"; do cat "/proc/$pid/status" 2>/dev/null || true; done; } | awk '/VmRSS/ {n += $2 * 1.024 / 1000} END {printf "%d", n}')
    [ $one -gt $most ] && most=$one
    [ $(($(now) - begin)) -lt 150000 ] || fail "the job of $fleet fetchers does not end: $(tail -3 "$tmp/fleet.log")"
    sleep 3
  done
  wait $scheduler || fail "the scheduler of $fleet fetchers ended with $?: $(tail -3 "$tmp/fleet.log")"
  for n in $(seq $fleet); do
    wait "${pids[$((n - 1))]}" || fail "fetcher $n ended with $?: $(tail -3 "$tmp/fleet-$n.log")"
  done
  python3 - "$tmp/fleet.json" $fleet <<'PY' || fail "not every fetcher got work"
import json, sys
n = [f["pages"] for f in json.load(open(sys.argv[1]))["fetchers"]]
print(f"pages by fetcher: least {min(n)}, most {max(n)}, {sum(n)} in all")
sys.exit(not (len(n) == int(sys.argv[2]) and min(n) > 0))
PY
  [ "$(number "$tmp/fleet" fetched)" = $((hosts * urls)) ] || fail "$(number "$tmp/fleet" fetched) of $((hosts * urls)) pages"
  echo "all left with status 0 after $(($(now) - begin)) ms; the fetchers together took $most MB, $((most / fleet)) MB each"
  kill $web; wait $web 2>/dev/null || true
}

hosts() {
  local hosts=1000000 p begin seeded="" most=0 one fetched before
  large_web
  seeds $hosts 1 >"$tmp/hosts.txt"
  p=$(port)
  "$trawl" scheduler "$tmp/hosts.txt" --dir "$tmp/hosts" --bind "127.0.0.1:$p" --delay 1s --archive none --allow-private=127.0.0.0/8 \
    --quiet >"$tmp/hosts.log" 2>&1 & scheduler=$!
  begin=$(now)
  for _ in $(seq 100); do [ -n "$(word "$tmp/hosts" state)" ] && break; sleep 0.1; done
  [ "$(word "$tmp/hosts" waits_for)" = "no fetcher has joined" ] || fail "without fetchers it waits for: $(word "$tmp/hosts" waits_for)"
  "$trawl" fetcher --join "127.0.0.1:$p" --dir "$tmp/hosts-1" --quiet >"$tmp/hosts-1.log" 2>&1 & fetcher=$!
  while sleep 2; do
    one=$(rss $scheduler); [ "$one" -gt $most ] && most=$one
    [ $most -lt 500 ] || fail "the scheduler of $hosts hosts takes $most MB"
    [ "$(number "$tmp/hosts" hosts)" = $hosts ] && break
    [ $(($(now) - begin)) -lt 200000 ] || fail "$(number "$tmp/hosts" hosts) of $hosts hosts after 200 s"
  done
  before=$(number "$tmp/hosts" fetched)
  echo "$hosts hosts were seeded within $(($(now) - begin)) ms, $before pages fetched meanwhile; the scheduler took up to $most MB"
  [ "$before" -gt 1000 ] || fail "nothing was dispatched while seeds came"
  begin=$(now)
  for _ in $(seq 10); do
    sleep 2
    one=$(rss $scheduler); [ "$one" -gt $most ] && most=$one
  done
  fetched=$(($(number "$tmp/hosts" fetched) - before))
  echo "then $((fetched * 1000 / ($(now) - begin))) hosts a second; it waits for: $(word "$tmp/hosts" waits_for); the scheduler took up to $most MB, the fetcher $(rss $fetcher) MB"
  [ $((fetched * 1000 / ($(now) - begin))) -ge 50 ] || fail "dispatch stalled: $fetched hosts in 20 s"
  [ $most -lt 500 ] || fail "the scheduler of $hosts hosts takes $most MB"
  [ -n "$(word "$tmp/hosts" waits_for)" ] || fail "status does not say what it waits for"
  kill -9 $scheduler $fetcher $web; wait $scheduler $fetcher $web 2>/dev/null || true
}

storm() {
  local hosts=300 pages=400 p begin most=0 most_fetcher=0 store=0 fetchers=() before late
  web -hosts $hosts -pages $pages -min-bytes 1000 -max-bytes 6000 -links 60 -latency 5ms
  p=$(port)
  "$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/storm" --bind "127.0.0.1:$p" --delay 100ms --archive none --lease 6s --renew 2s --grace 2s \
    --quiet >"$tmp/storm.log" 2>&1 & scheduler=$!
  for n in 1 2 3; do
    "$trawl" fetcher --join "127.0.0.1:$p" --dir "$tmp/storm-$n" --name "s$n" --quiet >"$tmp/storm-$n.log" 2>&1 & fetchers+=($!)
  done
  # look SECONDS: watches memory and the queue's store.
  look() {
    local end one f
    end=$(($(now) + $1 * 1000))
    while [ "$(now)" -lt $end ]; do
      one=$(rss $scheduler); [ "$one" -gt $most ] && most=$one
      for f in "${fetchers[@]}"; do one=$(rss "$f"); [ "$one" -gt $most_fetcher ] && most_fetcher=$one; done
      one=$({ du -sm "$tmp/storm/queue" 2>/dev/null || true; } | cut -f1); [ "${one:-0}" -gt $store ] && store=$one
      sleep 0.3
    done
  }
  told() { echo "$1: $(number "$tmp/storm" fetched) fetched; scheduler up to $most MB, fetchers up to $most_fetcher MB, queue store up to $store MB, $(number "$tmp/storm" lapsed_turns) turns lapsed"; }
  sleep 1; look 6; told "at work"
  kill -STOP $scheduler; look 7; kill -CONT $scheduler
  look 3; told "after 7 s of standing still (lease + grace are 8 s)"
  kill -STOP $scheduler; look 12; kill -CONT $scheduler
  look 4; told "after 12 s of standing still"
  before=$(number "$tmp/storm" fetched)
  for _ in $(seq 40); do
    kill -STOP $scheduler; sleep 0.4; kill -CONT $scheduler; sleep 0.1
  done & pulses=$!
  look 20; wait $pulses
  look 2; told "after 20 s of standing still four fifths of the time"
  [ "$(number "$tmp/storm" fetched)" -gt "$before" ] || fail "a slow scheduler stands still"
  begin=$(now)
  while kill -0 $scheduler 2>/dev/null; do
    look 1
    [ $(($(now) - begin)) -lt 150000 ] || fail "the job does not end: $("$trawl" status "$tmp/storm" | tail -3)"
  done
  wait $scheduler || fail "the scheduler ended with $?: $(tail -3 "$tmp/storm.log")"
  for f in "${fetchers[@]}"; do wait "$f" || fail "a fetcher ended with $?"; done
  told "at the end"
  [ "$(number "$tmp/storm" fetched)" = $((hosts * pages)) ] || fail "$(number "$tmp/storm" fetched) of $((hosts * pages)) pages"
  "$trawl" check "$tmp/storm" >"$tmp/check.log" 2>&1 || fail "trawl check: $(cat "$tmp/check.log")"
  [ "$(number "$tmp/storm" lapsed_turns)" = 0 ] || fail "turns of living fetchers lapsed"
  [ $most -lt 500 ] && [ $most_fetcher -lt 500 ] || fail "memory grew"
  [ $store -lt 1024 ] || fail "the queue's store took $store MB"
  audit
  python3 - "$tmp/audit.json" <<'PY' || fail "impolite"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
print(f"smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once, {a['repeats']} repeats")
sys.exit(not (a["min_gap_ns"] >= 95e6 and a["max_concurrency"] == 1 and a["repeats"] <= 300))
PY
  kill $farm; wait $farm 2>/dev/null || true
}

[ $# -gt 0 ] || set -- fleet hosts storm
for part in "$@"; do echo "-- $part"; $part; done
echo "ok; load average: $(cut -d' ' -f1-3 /proc/loadavg)"
