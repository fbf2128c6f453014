#!/usr/bin/env bash
# 8,000 hosts whose robots.txt is redirected to one URL of one host: the job is done, the URL is asked for once, that host's own pages
# go on meanwhile, at its pace, and an end by kill -9 in the middle costs nothing but time. usage: hub.sh TRAWL [HOSTS]
set -euo pipefail
trawl=$(realpath "$1")
hosts=${2:-8000}
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
go build -o "$tmp/web" ./test/accept/load/web
"$tmp/web" -hub 127.0.0.2 >"$tmp/web.log" & 
for _ in $(seq 100); do grep -q '^port' "$tmp/web.log" && break; sleep 0.1; done
port=$(sed -n 's/^port //p' "$tmp/web.log")
[ -n "$port" ] || fail "the web did not start"
stat() { wget -q -O - "http://127.0.0.1:$port/__stats" | sed -n "s/^$1 //p"; }

python3 - "$hosts" "$port" >"$tmp/seeds.txt" <<'PY'
import sys
hosts, port = int(sys.argv[1]), sys.argv[2]
for n in range(60):
    print(f"http://127.0.0.2:{port}/{n}")
for n in range(hosts):
    print(f"http://127.1.{n // 250}.{n % 250 + 1}:{port}/")
PY
crawl=("$trawl" crawl "$tmp/seeds.txt" --dir "$tmp/hub" --delay 300ms --depth 0 --archive none --allow-private=127.0.0.0/8)

"${crawl[@]}" >"$tmp/first.log" 2>&1 & first=$!
for _ in $(seq 600); do [ "$(stat hub-rules)" -ge 1 ] && break; sleep 0.1; done
kill -9 $first || fail "the first run ended: $(tail -3 "$tmp/first.log")"
wait $first 2>/dev/null || true
echo "killed with $(stat requests) of $((hosts + 60)) URLs asked for"
begun=$SECONDS
timeout 400 "${crawl[@]}" >"$tmp/log" 2>&1 || fail "the job did not end: $(tail -3 "$tmp/log")"
fetched=$(number "$tmp/hub" fetched)
echo "$fetched URLs fetched, $((SECONDS - begun)) s; the URL that all lead to was asked for $(stat hub-rules) times, $(stat hub-pages) pages of its host"
[ "$fetched" = $((hosts + 60)) ] || fail "$fetched URLs fetched"
# once, and once more for the turn that may have been lost with the killed process before it was stored
[ "$(stat hub-rules)" -le 2 ] || fail "the URL that all lead to was asked for $(stat hub-rules) times"
"$trawl" check "$tmp/hub" >"$tmp/check.log" || fail "check: $(tail -3 "$tmp/check.log")"
echo ok
