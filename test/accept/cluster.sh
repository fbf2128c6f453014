#!/usr/bin/env bash
# One scheduler and three fetchers as four processes: each does its share; with one killed (-9) and another added the rows
# are those of one machine; a wrong secret is refused at once. usage: cluster.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
web -hosts 30 -pages 100 -latency 10ms -jitter 20ms -not-found 0.03 -redirect 0.03 -disallowed 0.03
"$trawl" secret >"$tmp/secret"; "$trawl" secret >"$tmp/other"
p=$(port)

scheduler() { # NAME
  "$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/$1" --bind "127.0.0.1:$p" --secret-file "$tmp/secret" --delay 100ms \
    --lease 4s --renew 1s --grace 1s --export "$tmp/$1.jsonl" --quiet >"$tmp/$1.log" 2>&1 & scheduler=$!
}
fetcher() { # NAME: sets $fetcher
  "$trawl" fetcher --join "127.0.0.1:$p" --secret-file "$tmp/secret" --dir "$tmp/dir-$1" --name "$1" --quiet >"$tmp/$1.log" 2>&1 & fetcher=$!
}

"$trawl" crawl "$tmp/seeds.txt" --dir "$tmp/single" --delay 100ms --export "$tmp/single.jsonl" --quiet || fail "the single run: $?"

# Undisturbed. The fetchers are there before their scheduler, all of them, so that none comes late to the shares.
fetcher a; a=$fetcher; fetcher b; b=$fetcher; fetcher c; c=$fetcher
sleep 1
scheduler calm
wait $scheduler || fail "the scheduler: $(cat "$tmp/calm.log")"
for f in $a $b $c; do wait "$f" || fail "a fetcher ended with $?: $(cat "$tmp"/[abc].log)"; done
same_rows "$tmp/single.jsonl" "$tmp/calm.jsonl"
python3 - "$tmp/calm.jsonl" <<'PY' || fail "a fetcher did less than 20 % of the pages"
import collections, json, sys
rows = [json.loads(l) for l in open(sys.argv[1])]
n = collections.Counter(r["fetcher"] for r in rows if r["outcome"] == "fetched")
print("pages by fetcher:", {f: f"{c / sum(n.values()):.0%}" for f, c in sorted(n.items())})
sys.exit(not (len(n) == 3 and min(n.values()) >= 0.2 * sum(n.values())))
PY
"$trawl" check "$tmp/calm" >"$tmp/check.log" 2>&1 || fail "trawl check: $(cat "$tmp/check.log")"

# A fetcher is killed and another one added.
reset_audit
scheduler storm; fetcher d; d=$fetcher; fetcher e; e=$fetcher; fetcher f; f=$fetcher
sleep 4
kill -9 "$d"; wait "$d" 2>/dev/null || true
sleep 1; fetcher g; g=$fetcher
begin=$(date +%s%N)
set +e; "$trawl" fetcher --join "127.0.0.1:$p" --secret-file "$tmp/other" --dir "$tmp/dir-x" 2>"$tmp/x.log"; status=$?; set -e
took=$((($(date +%s%N) - begin) / 1000000))
[ $status = 5 ] && [ $took -lt 5000 ] && [ "$(grep -c '^trawl:' "$tmp/x.log")" = 1 ] || fail "wrong secret: exit $status after $took ms: $(cat "$tmp/x.log")"
echo "wrong secret: exit 5 after $took ms: $(grep '^trawl:' "$tmp/x.log")"
wait $scheduler || fail "the scheduler: $(cat "$tmp/storm.log")"
for one in $e $f $g; do wait "$one" || fail "a fetcher ended with $?"; done
same_rows "$tmp/single.jsonl" "$tmp/storm.jsonl"
[ "$(number "$tmp/storm" waiting)$(number "$tmp/storm" leased)" = 00 ] || fail "something still waits"
audit
python3 - "$tmp/audit.json" <<'PY' || fail "impolite"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
print(f"smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once, {a['disallowed']} disallowed, {a['repeats']} repeats after the kill")
sys.exit(not (a["min_gap_ns"] >= 95e6 and a["max_concurrency"] == 1 and a["disallowed"] == 0))
PY

# Without a secret nobody else is let in.
set +e; "$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/open" --bind 0.0.0.0:0 2>"$tmp/open.log"; status=$?; set -e
[ $status = 2 ] && grep -q 'trawl secret' "$tmp/open.log" || fail "bind beyond loopback without a secret: exit $status: $(cat "$tmp/open.log")"

# A thousand joins with a wrong secret change nothing.
fetcher w; w=$fetcher; scheduler joins
sleep 1
joins=$(go run ./test/accept/joins "127.0.0.1:$p" 1000 "$scheduler")
echo "$joins"
kill -INT $scheduler; wait $scheduler || true; kill "$w" 2>/dev/null || true; wait "$w" 2>/dev/null || true
[ "$(grep -c 'not of this cluster' "$tmp/joins.log")" -le 4 ] || fail "refusals are logged one by one"
grep -q 'not of this cluster' "$tmp/joins.log" || fail "refusals are not logged"
echo ok
