#!/usr/bin/env bash
# Servers and networks that are away for a while, with real processes: every URL of a host that comes back is fetched, a host is
# asked again within 1.2 times the wait that ran when it came back, and nobody is asked more often than the delay allows.
# OUTAGES_SHORT=1 shortens the long ones (20 and 5 minutes) to one minute and 40 s.
# usage: outages.sh TRAWL [three|list|fifty|thousand|one|dead|files|laptop|cut]…   (all of them when none is named)
set -euo pipefail
trawl=$(realpath "$1"); shift
cd "$(dirname "$0")/../.."
. test/accept/lib.sh
if [ -n "${OUTAGES_SHORT:-}" ]; then minutes5=40 minutes20=60; else minutes5=300 minutes20=1200; fi
ulimit -n "$(ulimit -Hn)"
farm=${OUTAGES_WEB:-$tmp/outages}
[ -x "$farm" ] || go build -o "$farm" ./test/accept/outages

# away_web NAME OPTION…: starts the web; its seeds are in $tmp/NAME.seeds.
away_web() {
  local name=$1; shift
  "$farm" -seeds "$tmp/$name.seeds" -audit "$tmp/$name.audit" "$@" 2>"$tmp/$name.web.log" & web=$!
  for _ in $(seq 200); do [ -s "$tmp/$name.seeds" ] && return; sleep 0.1; done
  fail "$name: the web did not start: $(cat "$tmp/$name.web.log")"
}

# judge NAME DELAY LANES PAGES: the audit and the rows. A wait that began t seconds after the host went away is some t + 1
# seconds long, so what ran when it came back is known.
judge() {
  kill $web; wait $web || fail "$1: $(cat "$tmp/$1.web.log")"
  python3 - "$tmp/$1.audit" "$tmp/$1.jsonl" "$@" <<'PY' || fail "$1: $(tail -4 "$tmp/$1.log")"
import collections, json, sys
audit, rows, name, delay, lanes, pages = sys.argv[1:4] + [float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])]
hosts = {h["host"]: h for h in json.load(open(audit))}
bad, of, tries = [], collections.defaultdict(collections.Counter), collections.Counter()
for line in open(rows):
    r = json.loads(line)
    of[r["host"]][r["outcome"] + ":" + (r["reason"] or "")] += 1
    if not hosts[r["host"]].get("dead"): tries[r["attempts"]] += 1
def ran(gone):  # the longest wait that may have run
    w = 1
    while 0.9 * (2 * w - 1) <= gone and w < 600: w *= 2
    return w
late = least = None
for name_, h in hosts.items():
    if h.get("dead"):
        if set(of[name_]) != {"failed:connect"}: bad.append(f"{name_} is dead: {dict(of[name_])}")
        continue
    if of[name_] != {"fetched:": pages}: bad.append(f"{name_}: {dict(of[name_])}")
    if h["robots"] > 2: bad.append(f"{name_}: robots.txt asked for {h['robots']} times")
    if h["most"] > lanes: bad.append(f"{name_}: {h['most']} requests at once")
    if h["gap"] >= 0:
        least = h["gap"] if least is None else min(least, h["gap"])
        if lanes == 1 and h["gap"] < delay - 0.005: bad.append(f"{name_}: asked again after {h['gap']:.3f} s")
    if h["gone"] > 0 and h["before"] < pages:
        late = max(late or 0, h["back"])
        if h["back"] < 0 or h["back"] > 1.2 * ran(h["gone"]) + 3: bad.append(f"{name_}: away {h['gone']:.0f} s, asked again {h['back']:.1f} s after")
if max(tries, default=0) > 2: bad.append(f"attempts of living hosts: {dict(tries)}")
living = sum(not h.get("dead") for h in hosts.values())
print(f"ok: {name}: {living} hosts that live, {len(hosts) - living} dead; asked again at most {late or 0:.1f} s after they came back; smallest gap {least or 0:.3f} s; attempts {dict(tries)}")
if bad: print("\n".join(bad[:10]))
sys.exit(bool(bad))
PY
}

# crawl NAME FLAG…: a crawl of the seeds, which must be done.
crawl() {
  local name=$1; shift
  "$trawl" crawl "$tmp/$name.seeds" --dir "$tmp/$name.trawl" --allow-private --export "$tmp/$name.jsonl" "$@" >"$tmp/$name.log" 2>&1 || fail "$name: $(tail -5 "$tmp/$name.log")"
}

three() { # all defaults, half a minute
  away_web three -base 127.40.0.1 -port 21401 -hosts 3 -pages 40 -after 10s -away 30s
  crawl three
  grep -q 'connection refused by 127.40.0' "$tmp/three.log" || fail "three: nobody says what it waits for: $(cat "$tmp/three.log")"
  judge three 1 1 40
}

list() { # a download, without a delay
  away_web list -base 127.41.0.1 -port 21402 -hosts 3 -pages 400 -latency 80ms -list -after 5s -away 30s
  "$trawl" download "$tmp/list.seeds" --dir "$tmp/list.trawl" --allow-private --export "$tmp/list.jsonl" >"$tmp/list.log" 2>&1 || fail "list: $(tail -5 "$tmp/list.log")"
  judge list 0 2 400
}

fifty() {
  away_web fifty -base 127.42.0.1 -port 21403 -hosts 50 -pages 30 -after 10s -away ${minutes5}s
  crawl fifty
  judge fifty 1 1 30
}

thousand() { # half of them never answer
  away_web thousand -base 127.43.0.1 -port 21404 -hosts 1000 -dead 500 -pages 20 -after 15s -away 30s
  crawl thousand
  judge thousand 1 1 20
}

one() {
  away_web one -base 127.44.0.1 -port 21405 -hosts 1 -pages 40 -after 10s -away ${minutes20}s
  crawl one
  judge one 1 1 40
}

dead() { # a list of dead hosts only
  away_web dead -base 127.45.0.1 -port 21406 -hosts 500 -dead 500 -pages 1
  local begin=$SECONDS status=0
  "$trawl" download "$tmp/dead.seeds" --dir "$tmp/dead.trawl" --allow-private --export "$tmp/dead.jsonl" >"$tmp/dead.log" 2>&1 || status=$?
  [ $status = 6 ] || fail "dead: status $status: $(tail -5 "$tmp/dead.log")"
  [ $((SECONDS - begin)) -le 180 ] || fail "dead: $((SECONDS - begin)) s"
  judge dead 0 2 1
  echo "ok: dead: 500 dead hosts ended after $((SECONDS - begin)) s"
}

files() { # more slow hosts than the process may have files
  away_web files -base 127.46.0.1 -port 21407 -hosts 250 -pages 2 -latency 2s
  (ulimit -n 200; crawl files --delay 0)
  grep -q 'ulimit -n' "$tmp/files.log" || fail "files: nobody says that workers are fewer"
  judge files 0 1 2
}

# cut_round NAME SECONDS CUT MEND: fetcher f3 is cut off from the web while the others go on.
cut_round() {
  local name=$1 seconds=$2 cut=$3 mend=$4 said=
  eval "$cut"
  for _ in $(seq "$seconds"); do
    sleep 1
    "$trawl" status "$tmp/cut.trawl" | grep -q 'f3.* slots' && "$trawl" status "$tmp/cut.trawl" | grep -q 'hears nothing from outside since' && said=yes
  done
  [ -n "$said" ] || fail "cut: $name: status does not say that f3 hears nothing: $("$trawl" status "$tmp/cut.trawl")"
  eval "$mend"
  local before; before=$(pages_of f3)
  for _ in $(seq 40); do
    sleep 1
    [ "$(pages_of f3)" -gt $((before + 20)) ] && { echo "ok: cut: $name: f3 said so, and fetches again"; return; }
  done
  fail "cut: $name: f3 does not fetch again: $("$trawl" status "$tmp/cut.trawl"; tail -5 "$tmp/f3.log")"
}

pages_of() { "$trawl" status "$tmp/cut.trawl" --json | python3 -c 'import json, sys; print(sum(f["pages"] for f in json.load(sys.stdin)["fetchers"] if f["name"] == sys.argv[1]))' "$1"; }

# other_machine: in a network namespace of its own, the web's addresses here and another namespace $other with a way to them.
other_machine() {
  ip link set lo up
  ip addr add 10.78.0.1/16 dev lo
  for i in $(seq 2 60); do ip addr add 10.78.0.$i/32 dev lo; done
  unshare -n sleep 100000 & other=$!
  for _ in $(seq 50); do [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break; sleep 0.1; done
  for way in web:1 own:2; do # the way to the web, and that to the cluster
    local v=${way%:*} n=${way#*:}
    ip link add "$v" type veth peer name "$v" netns $other
    ip addr add 10.77.$n.1/24 dev "$v"; ip link set "$v" up
    nsenter -t $other -n ip addr add 10.77.$n.2/24 dev "$v"
    nsenter -t $other -n ip link set "$v" up
  done
  nsenter -t $other -n ip link set lo up
  nsenter -t $other -n ip route add 10.78.0.0/16 via 10.77.1.1
}

laptop_inside() { # one process, whose cable is pulled: first nothing comes, then there is no way out
  other_machine
  away_web laptop -base 10.78.0.1 -port 21409 -hosts 20 -pages 90
  nsenter -t $other -n "$trawl" crawl "$tmp/laptop.seeds" --dir "$tmp/laptop.trawl" --allow-private --export "$tmp/laptop.jsonl" >"$tmp/laptop.log" 2>&1 & local crawl=$!
  sleep 12; ip link set web down
  sleep 40; ip link set web up
  sleep 12; nsenter -t $other -n ip link set web down
  sleep 40; nsenter -t $other -n ip link set web up; nsenter -t $other -n ip route add 10.78.0.0/16 via 10.77.1.1
  wait $crawl || fail "laptop: $(tail -5 "$tmp/laptop.log")"
  [ "$(grep -c 'fetcher local hears nothing from outside since' "$tmp/laptop.log")" -ge 2 ] || fail "laptop: nobody says that nothing comes: $(cat "$tmp/laptop.log")"
  judge laptop 1 1 90
}

laptop() { in_namespace laptop; }

# in_namespace SECTION: runs SECTION_inside where the network can be cut.
in_namespace() {
  if ! unshare -n true 2>/dev/null; then
    echo "skipped: $1: no network namespaces here"
    return
  fi
  OUTAGES_WEB=$farm unshare -n bash "$PWD/test/accept/outages.sh" "$trawl" "$1_inside"
}

cut_inside() {
  other_machine
  "$trawl" secret >"$tmp/secret"
  away_web cut -base 10.78.0.1 -port 21408 -hosts 60 -pages 400
  "$trawl" scheduler "$tmp/cut.seeds" --dir "$tmp/cut.trawl" --bind 10.77.2.1:7946 --secret-file "$tmp/secret" --allow-private --delay 300ms --export "$tmp/cut.jsonl" >"$tmp/cut.log" 2>&1 & local scheduler=$!
  for i in 1 2; do
    "$trawl" fetcher --join 10.77.2.1:7946 --secret-file "$tmp/secret" --bind 10.77.2.1:0 --name f$i --dir "$tmp/f$i" --workers 20 >"$tmp/f$i.log" 2>&1 &
  done
  nsenter -t $other -n "$trawl" fetcher --join 10.77.2.1:7946 --secret-file "$tmp/secret" --bind 10.77.2.2:0 --name f3 --dir "$tmp/f3" --workers 20 >"$tmp/f3.log" 2>&1 &
  for _ in $(seq 60); do sleep 1; [ "$(pages_of f3 2>/dev/null || echo 0)" -gt 60 ] && break; done
  cut_round silence 35 'ip link set web down' 'ip link set web up'
  cut_round 'no route' 25 "nsenter -t $other -n ip link set web down" "nsenter -t $other -n ip link set web up; nsenter -t $other -n ip route add 10.78.0.0/16 via 10.77.1.1"
  wait $scheduler || fail "cut: $(tail -5 "$tmp/cut.log")"
  judge cut 0.3 1 400
}

cut() { in_namespace cut; }

if [ $# -gt 0 ]; then
  for section; do $section; done
  exit
fi
# The long ones wait most of the time, so they run beside the others.
for long in one fifty; do
  OUTAGES_WEB=$farm bash "$PWD/test/accept/outages.sh" "$trawl" $long >"$tmp/$long.out" 2>&1 & eval "$long=\$!"
done
for section in files dead three list thousand laptop cut; do $section; done
for long in fifty one; do
  wait "${!long}" || fail "$long: $(cat "$tmp/$long.out")"
  cat "$tmp/$long.out"
done
echo ok
