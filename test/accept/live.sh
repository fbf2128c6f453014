#!/usr/bin/env bash
# A cluster is changed while it works: a fetcher is drained, another replaced, the scheduler moved to another address, and
# all nodes upgraded one by one from the version before. Nothing is lost or doubled, nobody is asked too early.
# usage: live.sh TRAWL   (PREVIOUS=REF names the version before; default: origin/main, or else the last commit's parent)
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
web -hosts 40 -pages 200 -latency 10ms -jitter 20ms -not-found 0.03 -redirect 0.03 -disallowed 0.03
"$trawl" secret >"$tmp/secret"; chmod 600 "$tmp/secret"
p=$(port); q=$(port)

scheduler() { # TRAWL NAME PORT
  "$1" scheduler "$tmp/seeds.txt" --dir "$tmp/$2" --bind "127.0.0.1:$3" --secret-file "$tmp/secret" --delay 300ms \
    --lease 4s --renew 1s --grace 1s --export "$tmp/$2.jsonl" --quiet >>"$tmp/$2.log" 2>&1 & scheduler=$!
}
fetcher() { # TRAWL NAME PORT: sets $fetcher
  "$1" fetcher --join "127.0.0.1:$3" --secret-file "$tmp/secret" --dir "$tmp/dir-$2" --name "$2" --quiet >>"$tmp/$2.log" 2>&1 & fetcher=$!
}
asked() { audit; python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["total"]["requests"])' "$tmp/audit.json"; }
goes_on() { # SECONDS WHAT: a request comes within so long
  local before now begin; before=$(asked); begin=$(date +%s%N)
  while now=$(asked); [ "$now" = "$before" ]; do
    [ $((($(date +%s%N) - begin) / 1000000)) -lt $(($1 * 1000)) ] || fail "nothing is asked $1 s after $2: $(tail -n 2 "$tmp"/*.log)"
    sleep 0.05
  done
  echo "$2: asked again after $((($(date +%s%N) - begin) / 1000000)) ms"
}
polite() {
  audit
  python3 - "$tmp/audit.json" "$1" <<'PY' || fail "impolite: $1"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
print(f"{sys.argv[2]}: smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once, {a['disallowed']} disallowed, {a['repeats']} repeats")
sys.exit(not (a["min_gap_ns"] >= 295e6 and a["max_concurrency"] == 1 and a["disallowed"] == 0))
PY
}
finish() { # NAME FETCHER…: all end by themselves, with the same rows
  local name=$1 f; shift
  wait $scheduler || fail "the scheduler ended with $?: $(tail -3 "$tmp/$name.log")"
  for f in "$@"; do wait "$f" || fail "a fetcher ended with $?"; done
  same_rows "$tmp/single.jsonl" "$tmp/$name.jsonl"
  "$trawl" check "$tmp/$name" >"$tmp/check.log" 2>&1 || fail "trawl check: $(cat "$tmp/check.log")"
  polite "$name"
}

"$trawl" crawl "$tmp/seeds.txt" --dir "$tmp/single" --delay 300ms --export "$tmp/single.jsonl" --quiet || fail "the single run: $?"

reset_audit
fetcher "$trawl" a $p; a=$fetcher; fetcher "$trawl" b $p; b=$fetcher; scheduler "$trawl" moved $p
sleep 6
"$trawl" status "$tmp/dir-a" | grep -q 'turns' || fail "the status of a fetcher"
"$trawl" stop "$tmp/dir-a"
begin=$(date +%s); wait $a || fail "a drained fetcher ended with $?: $(tail -3 "$tmp/a.log")"
echo "drained in $(($(date +%s) - begin)) s: $(tail -1 "$tmp/a.log")"
[ -z "$(find "$tmp/dir-a/archive" -name '*.warc*' 2>/dev/null)" ] || fail "the drained fetcher did not ship all it held"
fetcher "$trawl" c $p; c=$fetcher
kill -9 $b; wait $b 2>/dev/null || true
fetcher "$trawl" b $p; b=$fetcher # in place of the one that died, with its directory
sleep 3
kill -9 $scheduler; wait $scheduler 2>/dev/null || true
scheduler "$trawl" moved $q
goes_on 10 "the scheduler killed and started at another address"
finish moved $b $c

ref=${PREVIOUS:-$(git rev-parse -q --verify refs/remotes/origin/main || git rev-parse -q --verify HEAD~1 || true)}
if [ -z "$ref" ] || ! git worktree add -q --detach "$tmp/before" "$ref" 2>/dev/null; then
  echo "the version before is not there to be built: no upgrade was tried"; exit 0
fi
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; git worktree remove --force "$tmp/before" || true; rm -rf "$tmp"' EXIT
(cd "$tmp/before" && CGO_ENABLED=0 go build -o "$tmp/old" ./cmd/trawl)
cp -r testdata/kept.crawl "$tmp/kept" # of this commit's format
if ! "$tmp/old" check "$tmp/kept" >"$tmp/kept.log" 2>&1; then
  echo "the version before ($(git rev-parse --short "$ref")) has another format of crawls, no upgrade was tried: $(tail -1 "$tmp/kept.log")"; exit 0
fi
echo "upgrading from $(git rev-parse --short "$ref")"
reset_audit
fetcher "$tmp/old" d $p; d=$fetcher; fetcher "$tmp/old" e $p; e=$fetcher; scheduler "$tmp/old" upgraded $p
sleep 5
kill -INT $d; wait $d || [ $? = 4 ] || fail "the old fetcher ended with $?"
fetcher "$trawl" d $p; d=$fetcher
sleep 3; goes_on 10 "a new fetcher beside an old scheduler"
kill -INT $scheduler; wait $scheduler || [ $? = 4 ] || fail "the old scheduler ended with $?"
scheduler "$trawl" upgraded $p
goes_on 10 "a new scheduler with an old fetcher"
sleep 3
kill -INT $e; wait $e || [ $? = 4 ] || fail "the old fetcher ended with $?"
fetcher "$trawl" e $p; e=$fetcher
finish upgraded $d $e
echo ok
