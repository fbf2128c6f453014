#!/usr/bin/env bash
# The cluster's secret is changed during a crawl, on one node after the other in three steps. In the second step the
# fetchers are drained and started again, one after the other; the scheduler runs on. The crawl ends complete, nothing is
# asked twice, and the old secret opens nothing any more. Then the same crawl with the certificates of an own PKI, which are renewed meanwhile; strangers are refused. usage: rotate.sh TRAWL
set -euo pipefail
trawl=$(realpath "$1")
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
umask 077
web -hosts 30 -pages 300 -latency 10ms -jitter 20ms -not-found 0.03 -redirect 0.03 -disallowed 0.03
p=$(port)
control_at="127.0.0.1:$((p + 2))"
nodes="scheduler a b c"
extra() { :; } # NAME: further flags of a node

start() { # NAME: starts a node, with the files of its own; sets $pid
  local flags; flags=$(extra "$1")
  case $1 in
    scheduler) "$trawl" scheduler "$tmp/seeds.txt" --dir "$tmp/$run" --bind "127.0.0.1:$p" --secret-file "$tmp/secret-$1" --delay 100ms \
      $flags --export "$tmp/$run.jsonl" >>"$tmp/$run-$1.log" 2>&1 & ;;
    *) "$trawl" fetcher --join "127.0.0.1:$p" --bind 127.0.0.1:0 --secret-file "$tmp/secret-$1" --dir "$tmp/$run-$1" --name "$1" $flags >>"$tmp/$run-$1.log" 2>&1 & ;;
  esac
  pid=$!
}
drained() { # NAME: stops a fetcher, waits until it has ended well, and starts it again
  "$trawl" stop "$tmp/$run-$1" >"$tmp/stop.log" 2>&1 || fail "stop $1: $(cat "$tmp/stop.log")"
  wait "${!1}" || fail "fetcher $1 ended with $? when it was drained: $(tail -5 "$tmp/$run-$1.log")"
  start "$1"; eval "$1=$pid"
  says 2 "$1" 'working for'
}
start_all() { for n in $nodes; do start "$n"; eval "$n=$pid"; done; }
all_alive() { for n in $nodes; do kill -0 "${!n}" 2>/dev/null || fail "$n ended $1: $(tail -3 "$tmp/$run-$n.log")"; done; }
ended() {
  wait "$scheduler" || fail "the scheduler ended with $?: $(tail -5 "$tmp/$run-scheduler.log")"
  for n in a b c; do wait "${!n}" || fail "fetcher $n ended with $?: $(tail -5 "$tmp/$run-$n.log")"; done
  same_rows "$tmp/single.jsonl" "$tmp/$run.jsonl"
  audit
  python3 - "$tmp/audit.json" <<'PY' || fail "impolite, or asked twice"
import json, sys
a = json.load(open(sys.argv[1]))["total"]
print(f"smallest gap {a['min_gap_ns'] / 1e6:.1f} ms, at most {a['max_concurrency']} at once, {a['disallowed']} disallowed, {a['repeats']} repeats")
sys.exit(not (a["min_gap_ns"] >= 95e6 and a["max_concurrency"] == 1 and a["disallowed"] == 0 and a["repeats"] == 0))
PY
}
fetched() { # N: waits until the job has fetched so many
  for _ in $(seq 300); do [ "$(number "$tmp/$run" fetched)" -ge "$1" ] 2>/dev/null && return; sleep 0.1; done
  fail "it does not get to $1 pages: $(tail -3 "$tmp/$run-scheduler.log")"
}
says() { # COUNT NODE TEXT: waits until a node has said so
  for _ in $(seq 100); do [ "$(grep -c "$3" "$tmp/$run-$2.log")" -ge "$1" ] && return; sleep 0.1; done
  fail "$2 does not say '$3': $(tail -3 "$tmp/$run-$2.log")"
}
refused() { # WORD FLAGS…: a fetcher with these flags is refused, in a line that has the word
  local word=$1; shift
  set +e; timeout 30 "$trawl" fetcher --join "127.0.0.1:$p" --bind 127.0.0.1:0 --dir "$tmp/stranger" "$@" >"$tmp/stranger.log" 2>&1; status=$?; set -e
  [ $status = 5 ] && [ "$(grep -c '^trawl:' "$tmp/stranger.log")" = 1 ] && grep '^trawl:' "$tmp/stranger.log" | grep -q -- "$word" || fail "$*: exit $status: $(cat "$tmp/stranger.log")"
  grep '^trawl:' "$tmp/stranger.log"
}

"$trawl" crawl "$tmp/seeds.txt" --dir "$tmp/single" --delay 100ms --export "$tmp/single.jsonl" --quiet || fail "the single run: $?"
pages=$(number "$tmp/single" fetched)

# 1. The secret.
run=rotated
reset_audit
"$trawl" secret >"$tmp/old"; "$trawl" secret >"$tmp/new"
for n in $nodes; do cp "$tmp/old" "$tmp/secret-$n"; done
start_all
fetched $((pages / 10))
step=0
everywhere() { # COMMAND…: changes each node's secret file, one after the other
  step=$((step + 1))
  for n in $(shuf -e $nodes); do
    f="$tmp/secret-$n"; "$@"
    [ "$n" != b ] || kill -HUP "$b"
    sleep 0.3
  done
  for n in $nodes; do says $step "$n" 'are accepted now'; done
  all_alive "in step $step"
  echo "step $step at $(number "$tmp/$run" fetched) of $pages pages"
}
append() { cat "$tmp/new" >>"$f"; }
first() { cat "$tmp/new" "$tmp/old" >"$f.next"; mv "$f.next" "$f"; }
remove() { head -n 1 "$f" >"$f.next"; mv "$f.next" "$f"; }
everywhere append
everywhere first
for n in a b c; do drained "$n"; done
echo "drained at $(number "$tmp/$run" fetched) of $pages pages"
"$trawl" status "$control_at" --secret-file "$tmp/new" >"$tmp/status.log" || fail "the new secret: $(cat "$tmp/status.log")"
refused secret --secret-file "$tmp/old"
set +e; "$trawl" status "$control_at" --secret-file "$tmp/old" 2>"$tmp/status.log"; status=$?; set -e
[ $status = 5 ] || fail "status with the old secret: exit $status: $(cat "$tmp/status.log")"
[ "$(number "$tmp/$run" fetched)" -lt "$pages" ] || fail "the crawl was over before the rotation was"
all_alive "before the job was done"
ended
! grep -hE 'lost|refuses|is there' "$tmp/$run"-[abc].log || fail "a fetcher noticed more than a short pause"
! grep -lF -f "$tmp/old" -f "$tmp/new" "$tmp/$run"*.log || fail "a secret stands in a log"

# 2. An own PKI.
run=pki
reset_audit
authority() { # NAME
  openssl req -x509 -newkey ed25519 -nodes -keyout "$tmp/$1.key" -out "$tmp/$1.pem" -days 30 -subj "/CN=$1" \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign >"$tmp/openssl.log" 2>&1 || fail "$(cat "$tmp/openssl.log")"
}
certificate() { # AUTHORITY NAME [OPTIONS…]: for a node; of a scheduler it must be for the address or the name trawl
  local ca=$1 name=$2; shift 2
  { openssl req -newkey ed25519 -nodes -keyout "$tmp/$name.key.next" -out "$tmp/$name.csr" -subj "/CN=$name" &&
    printf 'subjectAltName=DNS:trawl\nextendedKeyUsage=serverAuth,clientAuth\n' >"$tmp/$name.ext" &&
    openssl x509 -req -in "$tmp/$name.csr" -CA "$tmp/$ca.pem" -CAkey "$tmp/$ca.key" -days 10 -extfile "$tmp/$name.ext" -out "$tmp/$name.pem.next" "$@"
  } >"$tmp/openssl.log" 2>&1 || fail "$(cat "$tmp/openssl.log")"
  mv "$tmp/$name.key.next" "$tmp/$name.key"; mv "$tmp/$name.pem.next" "$tmp/$name.pem"
}
pki() { echo "--tls-cert $tmp/$1.pem --tls-key $tmp/$1.key --tls-ca $tmp/$2.pem"; }
extra() { pki "$1" own; }
authority own; authority other
for n in $nodes d; do certificate own "$n"; done
certificate other stranger
start_all
fetched $((pages / 10))
for n in $nodes; do certificate own "$n"; done
for n in $nodes; do says 1 "$n" 'are accepted now'; done
"$trawl" status "$control_at" --secret-file "$tmp/new" $(pki d own) >"$tmp/status.log" || fail "status: $(cat "$tmp/status.log")"
refused certificate --secret-file "$tmp/new" $(pki stranger other)
refused certificate --secret-file "$tmp/new"
refused secret --secret-file "$tmp/old" $(pki d own)
certificate own d -days 0; sleep 2
refused 'ended on' --secret-file "$tmp/new" $(pki d own)
all_alive "before the job was done"
ended
! grep -hE 'lost|refuses|is there' "$tmp/$run"-[abc].log || fail "a fetcher noticed that certificates were renewed"
set +e; "$trawl" fetcher --join "127.0.0.1:$p" $(pki a own) 2>"$tmp/status.log"; status=$?; set -e
[ $status = 2 ] && grep -q 'secret' "$tmp/status.log" || fail "certificates without a secret: exit $status: $(cat "$tmp/status.log")"
echo ok
