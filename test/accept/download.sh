#!/usr/bin/env bash
# A list of 2,000 lines, 1,997 different URLs on 20 hosts and 3 broken lines, becomes 1,997 files named HOST/PATH; the broken
# lines are told with number and reason; the same through a cluster. usage: download.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
web -hosts 20 -pages 260 -assets -1
wget -q -O "$tmp/urls" "$control/__urls"
python3 - "$tmp/urls" "$tmp/list.txt" <<'PY'
import json, re, sys
text = open(sys.argv[1]).read()
urls = [u for u in dict.fromkeys(re.findall(r'http://[^\s"]+', text)) if not u.endswith("/") and "?" not in u]
lines = urls[:1997]
assert len(lines) == 1997, len(lines)
lines[10:10] = ["no url at all"]; lines[500:500] = ["ftp://example.com/x"]; lines[1500:1500] = ["http://[broken/"]
open(sys.argv[2], "w").write("\n".join(lines) + "\n")
PY
[ "$(wc -l <"$tmp/list.txt")" = 2000 ] || fail "the list has $(wc -l <"$tmp/list.txt") lines"

verify() { # NAME
  for n in 11 501 1501; do grep -q "list.txt:$n: " "$tmp/$1.log" || fail "$1: line $n is not named: $(cat "$tmp/$1.log")"; done
  python3 - "$tmp/list.txt" "$tmp/$1/files" <<'PY' || fail "$1: files"
import os, sys
want = {l.strip()[len("http://"):] for l in open(sys.argv[1]) if l.startswith("http://127")}
have = {os.path.relpath(os.path.join(d, f), sys.argv[2]) for d, _, fs in os.walk(sys.argv[2]) for f in fs}
print(len(have), "files;", "missing", sorted(want - have)[:3], "more", sorted(have - want)[:3])
sys.exit(want != have)
PY
}

"$trawl" download "$tmp/list.txt" --dir "$tmp/one" 2>"$tmp/one.log" || fail "exit $?: $(cat "$tmp/one.log")"
verify one

p=$(port)
"$trawl" scheduler --download "$tmp/list.txt" --dir "$tmp/many" --bind "127.0.0.1:$p" 2>"$tmp/many.log" & scheduler=$!
fetchers=()
for i in 1 2; do
  "$trawl" fetcher --join "127.0.0.1:$p" --dir "$tmp/f$i" --name "f$i" >"$tmp/f$i.log" 2>&1 & fetchers+=($!)
done
wait $scheduler || fail "exit $?: $(cat "$tmp/many.log")"
verify many
for f in "${fetchers[@]}"; do wait "$f" || fail "a fetcher ended with $?: $(cat "$tmp"/f[12].log)"; done
[ "$(find "$tmp"/f[12]/files -type f | wc -l)" = 0 ] || fail "files are left with the fetchers"
echo ok
