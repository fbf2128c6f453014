#!/usr/bin/env bash
# What intruders may try on a cluster that crawls: strangers, listeners who replay, a member that abuses its rights, crowds.
# usage: intruders.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
ulimit -n "$(ulimit -Hn)"
go build -o "$tmp/intruders" ./test/accept/intruders

# A build that speaks another version of the protocol.
sed 's/^\(\tProtocol *= \)[0-9]*$/\19/; s/^\(\tOldestProtocol *= \)[0-9]*$/\19/' cluster/gossip/meta.go >"$tmp/meta.go"
cmp -s "$tmp/meta.go" cluster/gossip/meta.go && fail "the version of the protocol was not found in cluster/gossip/meta.go"
printf '{"Replace":{"%s":"%s"}}' "$PWD/cluster/gossip/meta.go" "$tmp/meta.go" >"$tmp/overlay.json"
CGO_ENABLED=0 go build -overlay "$tmp/overlay.json" -o "$tmp/other" ./cmd/trawl

web -hosts 40 -pages 1200 -links 10
mkdir -m 700 "$tmp/work"
timeout -k 5 270 "$tmp/intruders" "$trawl" "$tmp/seeds.txt" "$tmp/work" "$tmp/other" || fail "see above"
