#!/usr/bin/env bash
# Memory does not grow with the crawl: a million tiny pages of 1,000 hosts, bodies not kept, stay under 500 MB of RSS
# from start to end. usage: memory.sh TRAWL [PAGES_PER_HOST] [CURVE_FILE]
set -euo pipefail
trawl=$(realpath "$1"); pages=${2:-1000}; curve=${3:-}
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

go build -o "$tmp/webfarm" ./internal/webfarm/cmd/webfarm
"$tmp/webfarm" -hosts 1000 -pages "$pages" -min-bytes 300 -max-bytes 1500 -links 3 -seeds "$tmp/seeds.txt" >"$tmp/farm.log" 2>&1 &
for _ in $(seq 100); do [ -s "$tmp/seeds.txt" ] && break; sleep 0.1; done
[ -s "$tmp/seeds.txt" ] || fail "the synthetic web did not start: $(cat "$tmp/farm.log")"

"$trawl" crawl "$tmp/seeds.txt" --dir "$tmp/crawl" --delay 0 --archive none --quiet 2>"$tmp/crawl.log" & job=$!
begin=$(date +%s)
echo "seconds,rss_mb,fetched" >"$tmp/curve.csv"
while kill -0 $job 2>/dev/null; do
  rss=$(awk '/VmRSS/ {printf "%.0f", $2 * 1.024 / 1000}' /proc/$job/status 2>/dev/null || true)
  fetched=$("$trawl" status "$tmp/crawl" --json 2>/dev/null | sed -n 's/^  "fetched": \([0-9]*\),*$/\1/p' | head -1 || true)
  [ -n "$rss" ] && echo "$(($(date +%s) - begin)),$rss,${fetched:-}" >>"$tmp/curve.csv"
  sleep 2
done
wait $job || fail "the crawl: $(cat "$tmp/crawl.log")"
grep "^done after" "$tmp/crawl.log" || fail "the crawl: $(cat "$tmp/crawl.log")"
most=$(tail -n +2 "$tmp/curve.csv" | cut -d, -f2 | sort -n | tail -1)
[ -z "$curve" ] || cp "$tmp/curve.csv" "$curve"
[ "$(sed -n "s/^done after .* = //p" "$tmp/crawl.log" | tr -d ,)" = "$((1000 * pages)) fetched" ] || fail "not every page was fetched"
[ "$most" -lt 500 ] || fail "peak RSS $most MB"
echo "ok: peak RSS $most MB"
