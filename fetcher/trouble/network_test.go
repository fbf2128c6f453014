package trouble

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"trawl/crawler/weburl"
)

// seconds is a time of a judgement.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func TestTheNetworkIsJudged(t *testing.T) {
	// Words: "+h" the host h answers, "!" something comes, "-h" h meets silence, "=h" the machine has no way to h. A number lets
	// so many seconds pass; what follows begins then. "away" and "there" are what is expected.
	for name, script := range map[string]string{
		"three hosts that answered are silent for ten seconds":       "+a +b +c 1 -a -b -c there 9 there 1 away",
		"silence counts from the asking, not from the last sign":     "+a +b +c 60 -a -b -c there 10 away",
		"two hosts are too few":                                      "+a +b +c 1 -a -b -a -b 60 there",
		"hosts that never answered are no evidence":                  "+a +b 1 -a -b -c -d -e 60 there",
		"one that never answered has its own fault where others do":  "+a +b +c 1 -a -b -x 30 there -c away",
		"one byte begins the time again":                             "+a +b +c 1 -a -b -c 9 ! 5 there -a -b -c 5 there 5 away",
		"the first byte ends it":                                     "+a +b +c 1 -a -b -c 10 away ! there",
		"by mere silence it lasts an hour at most":                   "+a +b +c 1 -a -b -c 10 away 3599 away 1 there -a -b -c 60 there",
		"after an hour something must come before it is found again": "+a +b +c 1 -a -b -c 10 away 3600 there ! -a -b -c 10 away",
		"without a way out it lasts as long as it lasts":             "+a +b +c 1 =a =b =c 10 away 9000 away ! there",
		"what was a missing way and is silence now ends by time":     "+a +b +c 1 =a =b =c 10 away 9000 away -a there",
	} {
		t.Run(name, func(t *testing.T) {
			j, now := newJudgement(), time.Duration(0)
			for i, word := range strings.Fields(script) {
				host := weburl.Host(word[1:])
				switch word[0] {
				case '+':
					j.answered(host)
					j.heard(now)
				case '!':
					j.heard(now)
				case '-', '=':
					j.met(host, now, word[0] == '=')
				case 'a', 't':
					if j.look(now, time.Hour); j.away != (word == "away") {
						t.Fatalf("word %d, after %v: away is %v, want %s", i+1, now, j.away, word)
					}
				default:
					var n int
					fmt.Sscan(word, &n)
					now += seconds(n)
				}
			}
		})
	}
}

func TestHostsThatAnsweredAreRememberedUpToALimit(t *testing.T) {
	j := newJudgement()
	for i := range 3 * networkHosts {
		j.answered(weburl.Host(fmt.Sprint(i)))
		j.answered("often")
	}
	if n := len(j.young) + len(j.old); n > networkHosts {
		t.Errorf("%d hosts are remembered", n)
	}
	if !j.knows(weburl.Host(fmt.Sprint(3*networkHosts-1))) || !j.knows("often") || j.knows("0") {
		t.Error("those that answered last are not those that are remembered")
	}
}

func TestAProbeIsOfAHostThatAnswered(t *testing.T) {
	n := NewNetwork(slog.New(slog.DiscardHandler), func() time.Duration { return time.Hour }, func(bool) {})
	n.judge.life = -networkSilence
	for _, h := range []weburl.Host{"a", "b", "c"} {
		n.Answered(h)
		n.judge.met(h, -networkSilence, false)
	}
	n.look(n.now())
	for range probePasses {
		if _, ok := n.Enter("stranger"); ok {
			t.Fatal("a host that never answered is the probe")
		}
	}
	if _, ok := n.Enter("a"); !ok {
		t.Fatal("a host that answered is not the probe")
	}
	if _, ok := n.Enter("b"); ok {
		t.Fatal("two probes at once")
	}
	n.Exit("a")
	n.next, n.passed = 0, 0
	for range probePasses {
		n.Enter("stranger")
	}
	if _, ok := n.Enter("stranger"); !ok {
		t.Error("without another the probe is never of a host that did not answer")
	}
}
