#!/usr/bin/env bash
# Politeness of a whole cluster, by the audit of the web that it asks: three fetchers, with --delay and with a robots
# Crawl-delay. usage: politeness.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh

round() { # NAME DELAY_MS FLAG… : the delay in force and trawl's flags
  local name=$1 least=$2; shift 2
  local p; p=$(port)
  "$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/$name" --bind "127.0.0.1:$p" --quiet "$@" >"$tmp/$name.log" 2>&1 & local scheduler=$!
  for i in 1 2 3; do
    "$trawl" fetcher --join "127.0.0.1:$p" --dir "$tmp/$name-$i" --name "f$i" --quiet >>"$tmp/$name.log" 2>&1 &
  done
  wait $scheduler || fail "$name: $(cat "$tmp/$name.log")"
  audit
  python3 - "$tmp/audit.json" "$name" "$least" <<'PY' || fail "$name"
import json, sys
a = json.load(open(sys.argv[1])); t, least = a["total"], float(sys.argv[3])
robots = max(h["robots"] for h in a["hosts"])
print(f"{sys.argv[2]}: {t['requests']} requests at {t['hosts_asked']} hosts, smallest gap {t['min_gap_ns'] / 1e6:.1f} ms of {least:.0f}, at most {t['max_concurrency']} at once, {t['disallowed']} disallowed, robots.txt at most {robots} times a host")
sys.exit(not (t["min_gap_ns"] >= (least - 5) * 1e6 and t["max_concurrency"] == 1 and t["disallowed"] == 0 and robots == 1 and t["before_robots"] == 0))
PY
}

web -hosts 20 -pages 60 -latency 10ms -jitter 10ms -disallowed 0.1 -not-found 0.05
round delay 200 --delay 200ms
kill $farm; wait $farm 2>/dev/null || true
web -hosts 20 -pages 12 -latency 10ms -disallowed 0.1 -crawl-delay 1s
round crawl-delay 1000 --delay 0
echo ok
