#!/usr/bin/env bash
# Real input: a crawl of Debian's PostgreSQL manual, served on loopback, records exactly the URLs that wget -r finds, every
# digest equal to the file on disk. usage: real-input.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1"); docs=/usr/share/doc/postgresql-doc-15/html
[ -d "$docs" ] || { echo "skipped: $docs is missing (Debian package postgresql-doc-15)"; exit 0; }
command -v wget >/dev/null || { echo "skipped: wget is missing"; exit 0; }
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
python3 -m http.server "$port" --bind 127.0.0.1 --directory "$docs" >"$tmp/server.log" 2>&1 &
for _ in $(seq 100); do wget -q -O /dev/null "http://127.0.0.1:$port/index.html" && break; sleep 0.1; done

"$trawl" crawl "http://127.0.0.1:$port/index.html" --dir "$tmp/crawl" --delay 0 --per-host 8 --export "$tmp/out.jsonl" || fail "exit $?"
mkdir "$tmp/wget"
(cd "$tmp/wget" && wget -r -l inf -nv -o "$tmp/wget.log" "http://127.0.0.1:$port/index.html") || true
gzip -t "$tmp"/crawl/archive/*.warc.gz || fail "a WARC is no gzip file"
"$trawl" check "$tmp/crawl" >"$tmp/check.log" 2>&1 || fail "trawl check: $(cat "$tmp/check.log")"
python3 - "$tmp" "$docs" "$port" <<'PY' || fail "rows differ"
import hashlib, json, os, re, sys
tmp, docs, port = sys.argv[1:4]
base = f"http://127.0.0.1:{port}"
rows = {}
for line in open(f"{tmp}/out.jsonl"):
    r = json.loads(line)
    assert r["url"] not in rows, "a row twice: " + r["url"]
    rows[r["url"]] = r
found, missing = set(), set()
for line in open(f"{tmp}/wget.log"):
    m = re.search(r"URL:(\S+) \[", line)
    if m: found.add(m.group(1))
    m = re.match(r"(http\S+):$", line.strip())
    if m: last = m.group(1)
    if "ERROR 404" in line and not last.endswith("/robots.txt"): missing.add(last)
ok = {u for u, r in rows.items() if r["status"] == 200}
gone = {u for u, r in rows.items() if r["status"] == 404}
print(f"trawl: {len(ok)} with 200, {len(gone)} with 404; wget: {len(found)} and {len(missing)}")
wrong = [u for u in ok if rows[u]["digest"] != "sha256:" + hashlib.sha256(open(docs + u[len(base):], "rb").read()).hexdigest()]
for name, s in [("only trawl", (ok | gone) - found - missing), ("only wget", (found | missing) - ok - gone), ("wrong digest", wrong)]:
    if s: print(name, sorted(s)[:5])
sys.exit(bool(ok ^ found or gone ^ missing or wrong))
PY
echo ok
