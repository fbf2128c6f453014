package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// EncodeAsk writes a question for a turn.
func EncodeAsk(a *crawler.Ask) ([]byte, error) {
	m := &Ask{Version: Version, Turn: a.Turn[:], Holder: a.Holder[:], Host: string(a.Host), Fetcher: []byte(a.Fetcher), Renewal: a.Renewal}
	return marshal("ask", m, MaxAskBytes)
}

// DecodeAsk reads a question for a turn.
func DecodeAsk(b []byte) (crawler.Ask, error) {
	var m Ask
	if err := unmarshal("ask", b, &m, MaxAskBytes); err != nil {
		return crawler.Ask{}, err
	}
	r := reader{what: "ask"}
	a := crawler.Ask{
		Turn: r.id("turn", m.Turn), Holder: r.id("holder", m.Holder),
		Host: r.host("host", m.Host), Fetcher: string(m.Fetcher), Renewal: m.Renewal,
	}
	if r.err != nil {
		return crawler.Ask{}, r.err
	}
	return a, nil
}

// EncodeAnswer writes the scheduler's reply to an ask.
func EncodeAnswer(a *crawler.Answer) ([]byte, error) {
	m := &Answer{
		Version: Version, Verdict: uint32(a.Verdict), Lease: encodeDuration(a.Lease), Wait: encodeDuration(a.Wait),
		Delay: encodeDuration(a.Delay), Penalty: encodeDuration(a.Penalty), Connections: encodeCount(a.Connections),
		Stop: a.Stop, Settled: encodeCount(a.Settled), ScopeEpoch: a.ScopeEpoch, Robots: encodeRobots(a.Robots),
		Cookies: encodeCookies(a.Cookies), Addresses: a.Addresses, Seeds: uint32(a.Seeds),
		Credentials: []byte(a.Credentials.HTTP), CredentialsHttps: []byte(a.Credentials.HTTPS), More: encodeTaskURLs(a.More),
	}
	if a.Life != (crawler.Life{}) {
		m.Life = a.Life[:]
	}
	for _, v := range a.Validators {
		m.Validators = append(m.Validators, &Validator{Url: v.URL.String(), Etag: []byte(v.ETag), LastModified: []byte(v.LastModified)})
	}
	if len(a.More) > crawler.MaxTurnURLs {
		return nil, ErrTooLarge
	}
	return marshal("answer", m, MaxReplyBytes)
}

// DecodeAnswer reads the reply to an ask for a turn of the host.
func DecodeAnswer(b []byte, h weburl.Host) (crawler.Answer, error) {
	var m Answer
	if err := unmarshal("answer", b, &m, MaxReplyBytes); err != nil {
		return crawler.Answer{}, err
	}
	r := reader{what: "answer"}
	a := crawler.Answer{
		Verdict: crawler.Verdict(r.upTo("verdict", m.Verdict, uint8(crawler.Over))), Life: r.life(m.Life),
		Lease: r.duration("lease", m.Lease), Wait: r.duration("wait", m.Wait), Delay: r.duration("delay", m.Delay),
		Penalty: r.duration("penalty", m.Penalty), Connections: r.count("connections", m.Connections), Stop: m.Stop,
		Settled: r.count("settled", m.Settled), ScopeEpoch: m.ScopeEpoch, Robots: r.robots(m.Robots),
		Cookies: r.cookies(m.Cookies, h), Addresses: slices.Clone(m.Addresses), Seeds: session.Schemes(r.upTo("seeds", m.Seeds, math.MaxUint8)),
		Credentials: session.Credentials{HTTP: string(m.Credentials), HTTPS: string(m.CredentialsHttps)},
		More:        r.taskURLs(m.More, h),
	}
	for _, v := range m.Validators {
		a.Validators = append(a.Validators, crawler.Validator{
			URL: r.urlAt("validator url", v.GetUrl(), h), ETag: string(v.GetEtag()), LastModified: string(v.GetLastModified()),
		})
	}
	if r.err != nil {
		return crawler.Answer{}, r.err
	}
	return a, nil
}

// EncodeNotice writes what a fetcher must know of a job.
func EncodeNotice(n *crawler.JobNotice) ([]byte, error) {
	job, err := json.Marshal(&n.Job)
	if err != nil {
		return nil, fmt.Errorf("encode notice: job: %w", err)
	}
	m := &Notice{
		Version: Version, Job: job, Done: n.Done, ScopeEpoch: n.ScopeEpoch,
		ScopeKeys: n.ScopeKeys, ScopeWhole: n.ScopeWhole,
	}
	if n.Life != (crawler.Life{}) {
		m.Life = n.Life[:]
	}
	return marshal("notice", m, MaxReplyBytes)
}

// DecodeNotice reads what a fetcher must know of a job. The job is not validated.
func DecodeNotice(b []byte) (crawler.JobNotice, error) {
	var m Notice
	if err := unmarshal("notice", b, &m, MaxReplyBytes); err != nil {
		return crawler.JobNotice{}, err
	}
	r := reader{what: "notice"}
	n := crawler.JobNotice{
		Life: r.life(m.Life), Done: m.Done, ScopeEpoch: m.ScopeEpoch,
		ScopeKeys: slices.Clone(m.ScopeKeys), ScopeWhole: m.ScopeWhole,
	}
	if err := json.Unmarshal(m.Job, &n.Job); err != nil {
		return crawler.JobNotice{}, fmt.Errorf("decode notice: job: %w", err)
	}
	if r.err != nil {
		return crawler.JobNotice{}, r.err
	}
	return n, nil
}
