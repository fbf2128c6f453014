#!/usr/bin/env bash
# A ledger of ten million rows: a scheduler dispatches within 5 s of its start, also after kill -9 under load; exports stay
# under 300 MB of RSS; status and explain answer within a second. usage: big-ledger.sh TRAWL [HOSTS], 100 rows a host
set -euo pipefail
trawl=$(realpath "$1"); hosts=${2:-100000}
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
rows=$((hosts * 100)); dir=$tmp/big
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg)"

go build -o "$tmp/ledger" ./test/accept/load/ledger
go build -o "$tmp/web" ./test/accept/load/web
"$tmp/web" >"$tmp/web.log" & web=$!
for _ in $(seq 50); do grep -q port "$tmp/web.log" && break; sleep 0.1; done
at=127.0.0.1:$(awk '{print $2}' "$tmp/web.log")
"$tmp/ledger" -hosts "$hosts" -port "${at#*:}" "$dir"
echo "on disk: $(du -sm "$dir" | cut -f1) MB"

now() { date +%s%3N; }
ask() { wget -q -O - "http://$at/$1"; }

# under_a_second WHAT COMMAND…
under_a_second() {
  local begin took; begin=$(now)
  "${@:2}" >"$tmp/answer" 2>&1 || fail "$1: $(cat "$tmp/answer")"
  took=$(($(now) - begin))
  echo "$1: $took ms"
  [ $took -lt 1000 ] || fail "$1 took $took ms"
}
answers() { # WHEN
  under_a_second "status $1" "$trawl" status "$dir" --json
  under_a_second "explain $1" "$trawl" explain "$dir" "http://127.64.0.7:${at#*:}/"
  grep -q '^  host:    127.64.0.7' "$tmp/answer" || fail "explain: $(cat "$tmp/answer")"
}

# peak MB COMMAND…: fails when the command takes more than so many MB of RSS.
peak() {
  python3 - "$@" <<'PY' || fail "$(cat "$tmp/export.log" 2>/dev/null)"
import resource, subprocess, sys, time
begin = time.time()
status = subprocess.run(sys.argv[2:]).returncode
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
print(f"{' '.join(sys.argv[3:5])[:60]} …: peak RSS {most:.0f} MB, {time.time() - begin:.0f} s")
if most >= float(sys.argv[1]):
    print(f"more than {sys.argv[1]} MB")
sys.exit(status or most >= float(sys.argv[1]))
PY
}

p=$(port)
scheduler() {
  begin=$(now)
  "$trawl" scheduler --dir "$dir" --bind "127.0.0.1:$p" --delay 1s --archive none --allow-private=127.0.0.0/8 --log-level debug \
    >"$tmp/scheduler.log" 2>&1 & scheduler=$!
}
# dispatched WHEN: waits for the first turn that is granted, and measures from $begin.
dispatched() {
  for _ in $(seq 200); do grep -q 'event=grant' "$tmp/scheduler.log" && break; sleep 0.05; done
  local first took
  first=$(grep -m1 'event=grant' "$tmp/scheduler.log" | sed 's/^time=\([^ ]*\).*/\1/')
  [ -n "$first" ] || fail "no turn is granted $1: $(grep -v DEBUG "$tmp/scheduler.log" | tail -3)"
  took=$(($(date -d "$first" +%s%3N) - begin))
  echo "first turn granted $1: $took ms"
  [ $took -lt 5000 ] || fail "the first turn was granted after $took ms $1"
}
answers "at rest"

# Who starts it has a fetcher that waits for it.
"$trawl" fetcher --join "127.0.0.1:$p" --dir "$tmp/fetcher" --quiet >"$tmp/fetcher.log" 2>&1 & fetcher=$!
sleep 1
scheduler; dispatched "after a start"
for _ in $(seq 100); do first=$(ask __stats | awk '/^first/ {print $2}'); [ "$first" != 0 ] && break; sleep 0.05; done
[ "$first" != 0 ] && [ $((first - begin)) -lt 5000 ] || fail "the first request came after $((first - begin)) ms"
echo "first request at a server: $((first - begin)) ms"
sleep 8
answers "under load"
for n in 1 2; do
  ask __reset
  kill -9 $scheduler; wait $scheduler 2>/dev/null || true
  scheduler; dispatched "after kill -9, $n"
  sleep 4
done
ask __stats | tr '\n' ' '; echo
echo "scheduler: peak RSS $(awk '/VmHWM/ {printf "%d", $2 * 1.024 / 1000}' /proc/$scheduler/status) MB"
kill -9 $scheduler $fetcher; wait $scheduler $fetcher 2>/dev/null || true
"$tmp/ledger" -verify "$dir" || fail "the ledger does not balance"

peak 300 "$trawl" export "$dir" -o "$tmp/rows.parquet" 2>"$tmp/export.log"
[ "$(sed -n 's/ rows in .*//p' "$tmp/export.log" | tr -d ,)" = $rows ] || fail "export: $(cat "$tmp/export.log")"
echo "Parquet: $(du -sm "$tmp/rows.parquet" | cut -f1) MB"
mkfifo "$tmp/pipe"
wc -l <"$tmp/pipe" >"$tmp/lines" & count=$!
peak 300 "$trawl" export "$dir" -o "$tmp/pipe" --format jsonl 2>"$tmp/export.log"
wait $count
[ "$(cat "$tmp/lines")" = $rows ] || fail "$(cat "$tmp/lines") lines of JSONL for $rows rows"
kill $web
echo "ok: $rows rows; load average: $(cut -d' ' -f1-3 /proc/loadavg)"
