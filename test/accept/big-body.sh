#!/usr/bin/env bash
# A body of 5 GB: downloaded within 200 MB of memory; killed with -9 at about 2 GB and gone on with by the same
# command, with one range request and the right digest; cut by crawl at --max-body.
#
# usage: test/accept/big-body.sh TRAWL    BIG_BODY_BYTES sets another size. Needs that much room in TMPDIR, and go.
set -euo pipefail

trawl=$(realpath "${1:?usage: $0 TRAWL}")
size=${BIG_BODY_BYTES:-5368709120}
most_rss=195312 # KiB, 200 MB
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
server= runner=
finish() {
	[ ! -s "$dir/pid" ] || kill -9 "$(cat "$dir/pid")" 2>/dev/null || true
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$runner" ] || wait "$runner" 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT

fail() {
	echo "FAILED: $*"
	sed 's/^/  server: /' "$dir/requests" 2>/dev/null || true
	tail -n 5 "$dir/out" 2>/dev/null | sed 's/^/  trawl: /' || true
	exit 1
}
is() { [ "$2" = "$3" ] || fail "$1 is $2, not $3"; }
field() { grep -o "\"$2\":[^,}]*" "$1" | head -n 1 | cut -d: -f2- | tr -d '"'; }
rss() { # NAME: the peak memory of the command that ran last
	[ "$(cat "$dir/rss")" -lt "$most_rss" ] || fail "$1 took $(cat "$dir/rss") KiB of memory, more than $most_rss"
	echo "$1: peak memory $(cat "$dir/rss") KiB"
}
until_there() { # FILE
	for _ in $(seq 300); do
		[ ! -s "$1" ] || return 0
		sleep 0.1
	done
	fail "$1 did not come"
}

go build -o "$dir/bigbody" ./test/accept/bigbody
"$dir/bigbody" serve "$size" "$dir/address" "$dir/requests" &
server=$!
until_there "$dir/address"
url="http://$(cat "$dir/address")/file"
want=$("$dir/bigbody" sum "$size")
download=("$trawl" download "$url" --dir "$dir/d" --export "$dir/d.jsonl" --quiet)

# killed at about 40 %
"$dir/bigbody" run "$dir/pid" "$dir/rss" "${download[@]}" >"$dir/out" 2>&1 &
runner=$!
until_there "$dir/pid"
came=0
for _ in $(seq 3000); do
	came=$(stat -c %s "$dir"/d/incoming/partial/*.part 2>/dev/null || echo 0)
	[ "$came" -lt $((size / 5 * 2)) ] || break
	kill -0 "$(cat "$dir/pid")" 2>/dev/null || fail "the download ended before it was killed"
	sleep 0.05
done
[ "$came" -ge $((size / 5 * 2)) ] || fail "only $came bytes came in time"
kill -9 "$(cat "$dir/pid")"
wait "$runner" 2>/dev/null && fail "the download was done before it was killed"
runner=
rss "download, until it was killed"

# gone on with by the same command
rm "$dir/pid" "$dir/rss"
"$dir/bigbody" run "$dir/pid" "$dir/rss" "${download[@]}" >"$dir/out" 2>&1 || fail "the download ended with status $?"
rm "$dir/pid"
rss "download, gone on with"
is "the number of requests" "$(wc -l <"$dir/requests")" 2
is "the first one's answer" "$(sed -n 1p "$dir/requests" | cut -d' ' -f1,2)" 'status=200 range=""'
is "the second one's answer" "$(sed -n 2p "$dir/requests" | cut -d' ' -f1,3)" 'status=206 if-range="\"v1\""'
from=$(sed -n 's/.*range="bytes=\([0-9]*\)-".*/\1/p' "$dir/requests")
[ "$((came - from))" -le $((2 * 64 << 20)) ] || fail "gone on with at $from, though $came bytes had come"
echo "gone on with at byte $from of $size"
file="$dir/d/$(field "$dir/d.jsonl" archive_file)"
is "the digest of the file" "$(sha256sum "$file" | cut -d' ' -f1)" "$want"
is "the digest of the row" "$(field "$dir/d.jsonl" digest)" "sha256:$want"
is "the length in the row" "$(field "$dir/d.jsonl" bytes)" "$size"
is "the status in the row" "$(field "$dir/d.jsonl" status)" 200
is "the outcome in the row" "$(field "$dir/d.jsonl" outcome)" fetched
is "what is left of the part" "$(ls "$dir/d/incoming/partial" | wc -l)" 0
rm -r "$dir/d"

# cut, kept, marked, closed
"$dir/bigbody" run "$dir/pid" "$dir/rss" "$trawl" crawl "$url" --max-body 1MiB --dir "$dir/c" --export "$dir/c.jsonl" --quiet >"$dir/out" 2>&1 ||
	fail "the crawl ended with status $?"
rm "$dir/pid"
rss "crawl"
is "the outcome of the cut body" "$(field "$dir/c.jsonl" outcome)" fetched
is "the mark of the cut body" "$(field "$dir/c.jsonl" truncated)" true
is "the length of the cut body" "$(field "$dir/c.jsonl" bytes)" 1048576
is "the digest of the cut body" "$(field "$dir/c.jsonl" digest)" "sha256:$("$dir/bigbody" sum 1048576)"
zcat "$dir"/c/archive/*.warc.gz | grep -a '^WARC-Truncated: length' >/dev/null || fail "the record is not marked"
sent=$(sed -n '3s/.*sent=//p' "$dir/requests")
[ -n "$sent" ] && [ "$sent" -lt $((64 << 20)) ] || fail "the connection was not closed: ${sent:-nothing} sent"
echo "crawl: cut at 1 MiB, the server could send $sent bytes"
