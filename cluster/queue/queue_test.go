package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"trawl/cluster/clustertest"
	"trawl/cluster/queue/wire"
	"trawl/crawler"
	"trawl/crawler/weburl"
)

// noticeFunc answers for the job.
type noticeFunc func() crawler.JobNotice

func (f noticeFunc) Ask(context.Context, crawler.Ask) (crawler.Answer, error) {
	return crawler.Answer{}, errors.New("not here")
}
func (f noticeFunc) Notice(context.Context) (crawler.JobNotice, error) { return f(), nil }

// noise is text that does not shrink.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return string(b)
}

func TestRepliesThatDoNotFitAreCutToWhatMatters(t *testing.T) {
	const limit = 1 << 20 // of somebody else's server
	host := clustertest.Task(t, 1).Host
	ask := crawler.Ask{Turn: clustertest.Turn(1), Holder: crawler.HolderID{1}, Host: host}
	data, err := wire.EncodeAsk(&ask)
	clustertest.Must(t, err)
	reply := func(answer crawler.Answer) (crawler.Answer, error) {
		a := &answerer{
			limit: func() int { return limit }, log: clustertest.Log(t),
			asker: askerFunc(func(context.Context, crawler.Ask) (crawler.Answer, error) { return answer, nil }),
		}
		b := a.ask(t.Context(), data)
		if len(b) > limit {
			t.Errorf("a reply of %d bytes", len(b))
		}
		body, err := readReply(b)
		if err != nil {
			return crawler.Answer{}, err
		}
		return wire.DecodeAnswer(body, host)
	}
	large := crawler.Answer{Verdict: crawler.Granted}
	for _, scheme := range []string{"http", "https"} {
		large.Robots = append(large.Robots, crawler.RobotsFile{Scheme: scheme, Status: crawler.RobotsRules, Body: []byte(noise(500 * crawler.KiB))})
	}
	if got, err := reply(large); err != nil || len(got.Robots) != 2 || len(got.Robots[1].Body) != 500*crawler.KiB {
		t.Errorf("two files of robots rules of the largest size: %v", err)
	}
	for i := range 500 {
		u, err := weburl.Parse(fmt.Sprintf("http://%s/%d", host, i))
		clustertest.Must(t, err)
		large.Validators = append(large.Validators, crawler.Validator{URL: u, ETag: noise(200)})
	}
	if got, err := reply(large); err != nil || len(got.Robots) != 2 || len(got.Validators) != 0 {
		t.Errorf("with validators beyond the limit: %v, %d validators", err, len(got.Validators))
	}
	large.Validators, large.Credentials.HTTP = nil, noise(limit)
	if _, err := reply(large); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("what cannot be left out: %v", err)
	}
}

func TestANoticeWithoutRoomForItsScopeSendsNone(t *testing.T) {
	n := crawler.JobNotice{Job: crawler.NewJob(crawler.Crawl), ScopeEpoch: 3, ScopeKeys: make([]uint64, 200_000), ScopeWhole: true}
	for i := range n.ScopeKeys {
		n.ScopeKeys[i] = uint64(weburl.Host(fmt.Sprint(i)).Key())
	}
	a := &answerer{limit: func() int { return 1 << 20 }, log: clustertest.Log(t), asker: noticeFunc(func() crawler.JobNotice { return n })}
	body, err := readReply(a.notice(t.Context()))
	clustertest.Must(t, err)
	got, err := wire.DecodeNotice(body)
	clustertest.Must(t, err)
	if got.ScopeWhole || len(got.ScopeKeys) != 0 || got.ScopeEpoch != 3 {
		t.Errorf("%d keys, whole %v", len(got.ScopeKeys), got.ScopeWhole)
	}
}
