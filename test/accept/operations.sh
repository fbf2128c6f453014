#!/usr/bin/env bash
# Runs the commands of docs/operations.md in their order, as they stand there. usage: operations.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
web -hosts 20 -pages 150 -latency 10ms -not-found 0.03 -redirect 0.03
page=$PWD/docs/operations.md
p=$(port); q=$(port); r=$(port)
mkdir "$tmp/bin" "$tmp/work"; ln -s "$trawl" "$tmp/bin/trawl"
python3 - "$page" >"$tmp/commands.sh" <<'PY'
import re, sys
text = open(sys.argv[1]).read()
for info, body in re.findall(r"^```sh([^\n]*)\n(.*?)^```$", text, re.M | re.S):
    print(body)
    wait = re.search(r"wait=(\d+)", info)
    print(f"sleep {wait.group(1) if wait else 1}")
PY
[ "$(grep -c trawl "$tmp/commands.sh")" -gt 25 ] || fail "the page has too few commands"
cd "$tmp/work"; cp "$tmp/seeds.txt" .
export PATH="$tmp/bin:$PATH" AT=127.0.0.1:$p CONTROL=127.0.0.1:$((p + 2)) ELSEWHERE=127.0.0.1:$q FETCHER=127.0.0.1:$r
{
  echo 'wait_for() { for _ in $(seq 200); do trawl status "$1" 2>/dev/null | head -1 | grep -qE ": (stopped|done)$" && return; sleep 0.1; done; echo "$1 did not stop"; exit 1; }'
  echo 'set -euo pipefail'
  cat "$tmp/commands.sh"
} >"$tmp/run.sh"
timeout 300 bash -x "$tmp/run.sh" >"$tmp/out.log" 2>&1 || fail "the commands of the page: $(tail -n 30 "$tmp/out.log")"
[ "$(wc -l <pages.jsonl)" -ge 3000 ] || fail "the job of the page has $(wc -l <pages.jsonl) rows, want 3000"
audit
python3 - "$tmp/audit.json" <<'PY' || fail "impolite"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
print(f"smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once")
sys.exit(not (a["min_gap_ns"] >= 45e6 and a["max_concurrency"] == 1))
PY
echo "ok: $(grep -c '^trawl\|; wait_for' "$tmp/commands.sh") commands"
