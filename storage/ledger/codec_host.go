package ledger

import (
	"encoding/binary"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// Fields of a host.
const (
	hostName = 1 + iota
	hostNext
	hostAsked
	hostTurn
	hostCounts // signed varints, one for each outcome
	hostRetry
	hostDeep
	hostParked
	hostRetryAt
	_ // failures in a row
	_ // succeeded
	hostGivenUp
	hostGivenUpDetail
	hostCrawlDelay
	hostPenalty
	hostMeanTime
	hostRobotsTries
	hostRobotsWait
	hostErrands
	hostAddress // list
	hostAddressesTo
	hostTurned
	hostDepth
	hostHanding
	hostErrandsLast
	hostSeeds
	hostCredentialsHTTP
	hostCredentialsHTTPS
	hostAway
	hostAwayDetail
	hostAwaySince
	hostFailed
	hostSilent // URL hashes, 8 bytes each
	hostAnswered
	hostAnsweredAt
	hostRefused
	hostRobotsDetail
)

func encodeHost(buf []byte, h *crawler.HostState) []byte {
	e := encoder{}
	e.begin(buf)
	e.text(hostName, string(h.Host))
	e.time(hostNext, h.Next)
	e.bool(hostAsked, h.Asked)
	e.id(hostTurn, h.Turn[:])
	var counts [outcomes * binary.MaxVarintLen64]byte
	e.bytes(hostCounts, appendCounts(counts[:0], h.Counts))
	e.int(hostRetry, h.Retry)
	e.int(hostDeep, h.Deep)
	e.int(hostParked, h.Parked)
	e.time(hostRetryAt, h.RetryAt)
	e.text(hostGivenUp, string(h.GivenUp))
	e.text(hostGivenUpDetail, h.GivenUpDetail)
	e.int(hostCrawlDelay, int64(h.CrawlDelay))
	e.int(hostPenalty, int64(h.Penalty))
	e.int(hostMeanTime, int64(h.MeanTime))
	e.int(hostRobotsTries, int64(h.RobotsTries))
	e.bool(hostRobotsWait, h.RobotsWait)
	e.int(hostErrands, int64(h.Errands))
	for _, a := range h.Addresses {
		e.element(hostAddress, a)
	}
	e.time(hostAddressesTo, h.AddressesTo)
	e.time(hostTurned, h.Turned)
	e.int(hostDepth, int64(h.Depth))
	e.int(hostHanding, int64(h.Handing))
	e.bool(hostErrandsLast, h.ErrandsLast)
	e.uint(hostSeeds, uint64(h.Seeds))
	e.text(hostCredentialsHTTP, h.Credentials.HTTP)
	e.text(hostCredentialsHTTPS, h.Credentials.HTTPS)
	e.text(hostAway, string(h.Away))
	e.text(hostAwayDetail, h.AwayDetail)
	e.time(hostAwaySince, h.AwaySince)
	e.int(hostFailed, int64(h.Failed))
	e.hashes(hostSilent, h.Silent)
	e.uint(hostAnswered, uint64(h.Answered))
	e.int(hostAnsweredAt, int64(h.AnsweredAt))
	e.int(hostRefused, int64(h.Refused))
	e.text(hostRobotsDetail, h.RobotsDetail)
	return e.b
}

func decodeHost(value []byte) (crawler.HostState, error) {
	d := newDecoder(value)
	var h crawler.HostState
	for d.next() {
		switch d.num {
		case hostName:
			h.Host = weburl.Host(d.text())
		case hostNext:
			h.Next = d.time()
		case hostAsked:
			h.Asked = d.bool()
		case hostTurn:
			d.id(h.Turn[:])
		case hostCounts:
			d.counts(&h.Counts)
		case hostRetry:
			h.Retry = d.int64()
		case hostDeep:
			h.Deep = d.int64()
		case hostParked:
			h.Parked = d.int64()
		case hostRetryAt:
			h.RetryAt = d.time()
		case hostGivenUp:
			h.GivenUp = crawler.Reason(d.text())
		case hostGivenUpDetail:
			h.GivenUpDetail = d.text()
		case hostCrawlDelay:
			h.CrawlDelay = d.duration()
		case hostPenalty:
			h.Penalty = d.duration()
		case hostMeanTime:
			h.MeanTime = d.duration()
		case hostRobotsTries:
			h.RobotsTries = d.int()
		case hostRobotsWait:
			h.RobotsWait = d.bool()
		case hostErrands:
			h.Errands = d.int()
		case hostAddress:
			h.Addresses = append(h.Addresses, d.text())
		case hostAddressesTo:
			h.AddressesTo = d.time()
		case hostTurned:
			h.Turned = d.time()
		case hostDepth:
			h.Depth = d.int()
		case hostHanding:
			h.Handing = d.int()
		case hostErrandsLast:
			h.ErrandsLast = d.bool()
		case hostSeeds:
			h.Seeds = session.Schemes(d.below(1 << 8))
		case hostCredentialsHTTP:
			h.Credentials.HTTP = d.text()
		case hostCredentialsHTTPS:
			h.Credentials.HTTPS = d.text()
		case hostAway:
			h.Away = crawler.Reason(d.text())
		case hostAwayDetail:
			h.AwayDetail = d.text()
		case hostAwaySince:
			h.AwaySince = d.time()
		case hostFailed:
			h.Failed = d.int()
		case hostSilent:
			h.Silent = d.hashes()
		case hostAnswered:
			h.Answered = crawler.SchemeSet(d.below(1 << 8))
		case hostAnsweredAt:
			h.AnsweredAt = d.duration()
		case hostRefused:
			h.Refused = d.int()
		case hostRobotsDetail:
			h.RobotsDetail = d.text()
		}
	}
	return h, d.err
}

// appendCounts leaves trailing zeros out, so all zero is nothing.
func appendCounts(b []byte, counts [outcomes]int64) []byte {
	n := len(counts)
	for n > 0 && counts[n-1] == 0 {
		n--
	}
	for _, c := range counts[:n] {
		b = binary.AppendVarint(b, c)
	}
	return b
}

// counts reads what appendCounts wrote. Counts of outcomes that this trawl does not know are an error, since
// the ledger could not be balanced without them.
func (d *decoder) counts(to *[outcomes]int64) {
	in := decoder{s: d.text()}
	for i := 0; in.s != ""; i++ {
		if i == len(to) {
			d.fail(errRange)
			return
		}
		to[i] = unzigzag(in.uvarint())
		if in.err != nil {
			d.fail(in.err)
			return
		}
	}
}

// Fields of a turn.
const (
	turnID = 1 + iota
	turnHost
	turnURLs   // URL hashes, 8 bytes each
	turnErrand // list
	turnHeld
	turnHolder
	turnFetcher
	turnPart
	turnProbe
)

func encodeTurn(buf []byte, t *crawler.TurnState) []byte {
	e := encoder{}
	e.begin(buf)
	e.id(turnID, t.ID[:])
	e.text(turnHost, string(t.Host))
	e.hashes(turnURLs, t.URLs)
	for i := range t.Errands {
		e.element(turnErrand, string(encodeHop(nil, &t.Errands[i])))
	}
	e.bool(turnHeld, t.Held)
	e.id(turnHolder, t.Holder[:])
	e.text(turnFetcher, t.Fetcher)
	e.int(turnPart, int64(t.Part))
	e.bool(turnProbe, t.Probe)
	return e.b
}

// hashes writes URL hashes, nothing for none.
func (e *encoder) hashes(num int, urls []uint64) {
	if len(urls) == 0 {
		return
	}
	e.tag(num, wireBytes)
	e.b = binary.AppendUvarint(e.b, uint64(8*len(urls)))
	for _, u := range urls {
		e.b = binary.BigEndian.AppendUint64(e.b, u)
	}
}

func decodeTurn(value []byte) (crawler.TurnState, error) {
	d := newDecoder(value)
	var t crawler.TurnState
	for d.next() {
		switch d.num {
		case turnID:
			d.id(t.ID[:])
		case turnHost:
			t.Host = weburl.Host(d.text())
		case turnURLs:
			t.URLs = d.hashes()
		case turnErrand:
			t.Errands = append(t.Errands, d.hop())
		case turnHeld:
			t.Held = d.bool()
		case turnHolder:
			d.id(t.Holder[:])
		case turnFetcher:
			t.Fetcher = d.text()
		case turnPart:
			t.Part = d.int()
		case turnProbe:
			t.Probe = d.bool()
		}
	}
	return t, d.err
}

func (d *decoder) hashes() []uint64 {
	s := []byte(d.text())
	if len(s)%8 != 0 {
		d.fail(errCut)
	}
	if d.err != nil || len(s) == 0 {
		return nil
	}
	out := make([]uint64, len(s)/8)
	for i := range out {
		out[i] = binary.BigEndian.Uint64(s[8*i:])
	}
	return out
}
