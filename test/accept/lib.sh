# What the acceptance scripts share: a synthetic web with its audit, and the comparison of runs. Sourced, with
# $trawl set.
tmp=$(mktemp -d)
export XDG_RUNTIME_DIR="$tmp" # notes of running jobs stay in there
# Nothing in it may fail: with set -e that would be the script's status, and leave the folder behind.
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

# web OPTIONS…: starts the synthetic web; sets $control, and writes $tmp/seeds.txt.
web() {
  [ -x "$tmp/webfarm" ] || go build -o "$tmp/webfarm" ./internal/webfarm/cmd/webfarm
  rm -f "$tmp/seeds.txt"
  "$tmp/webfarm" "$@" -seeds "$tmp/seeds.txt" -control 127.0.0.1:0 >"$tmp/farm.log" 2>&1 & farm=$!
  for _ in $(seq 100); do [ -s "$tmp/seeds.txt" ] && grep -q __audit "$tmp/farm.log" && break; sleep 0.1; done
  control=$(grep -o 'http://127.0.0.1:[0-9]*/__audit' "$tmp/farm.log" | head -1 | sed 's,/__audit,,')
  [ -n "$control" ] || fail "the synthetic web did not start: $(cat "$tmp/farm.log")"
}

reset_audit() { wget -q -O /dev/null --method=POST "$control/__reset"; }
audit() { wget -q -O "$tmp/audit.json" "$control/__audit"; }

# port: three free ports in a row, below those that the system gives to outgoing connections.
port() {
  python3 - <<'PY'
import random, socket
while True:
    p = random.randrange(12000, 32000)
    s = [socket.socket() for _ in range(3)]
    try:
        for i in range(3): s[i].bind(("127.0.0.1", p + i))
        print(p); break
    except OSError: pass
PY
}

# columns FILE: the columns in which two runs must agree, sorted.
columns() {
  python3 - "$1" <<'PY'
import json, sys
keys = ["url", "outcome", "reason", "status", "digest", "bytes", "truncated", "redirect_to"]
for row in sorted(json.dumps([json.loads(line)[k] for k in keys]) for line in open(sys.argv[1])):
    print(row)
PY
}

same_rows() { # FILE FILE: equal, and no row twice
  columns "$1" >"$tmp/a.rows"; columns "$2" >"$tmp/b.rows"
  diff "$tmp/a.rows" "$tmp/b.rows" >"$tmp/diff" || fail "rows of $(basename "$1") and $(basename "$2") differ: $(head -5 "$tmp/diff")"
  [ "$(cut -d, -f1 "$tmp/b.rows" | uniq -d | wc -l)" = 0 ] || fail "a row twice in $2"
}

number() { "$trawl" status "$1" --json 2>/dev/null | sed -n "s/^  \"$2\": \([0-9]*\),*$/\1/p" | head -1; }
