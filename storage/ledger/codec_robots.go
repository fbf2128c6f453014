package ledger

import (
	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Fields of an errand.
const (
	hopFor = 1 + iota
	hopScheme
	hopURL
	hopCount
)

func encodeHop(buf []byte, h *crawler.RobotsHop) []byte {
	e := encoder{}
	e.begin(buf)
	e.text(hopFor, string(h.For))
	e.text(hopScheme, h.Scheme)
	e.text(hopURL, h.URL.String())
	e.int(hopCount, int64(h.Count))
	return e.b
}

func decodeHop(value []byte) (crawler.RobotsHop, error) {
	d := newDecoder(value)
	var h crawler.RobotsHop
	for d.next() {
		switch d.num {
		case hopFor:
			h.For = weburl.Host(d.text())
		case hopScheme:
			h.Scheme = d.text()
		case hopURL:
			h.URL = d.url()
		case hopCount:
			h.Count = d.int()
		}
	}
	return h, d.err
}

// hop reads an errand that is a field of another record.
func (d *decoder) hop() crawler.RobotsHop {
	h, err := decodeHop([]byte(d.text()))
	if err != nil {
		d.fail(err)
	}
	return h
}

// Fields of a robots file.
const (
	robotsScheme = 1 + iota
	robotsStatus
	robotsHTTP
	robotsBody
	robotsTruncated
	robotsTTL
	robotsDetail
	robotsFile
	robotsOffset
	robotsLength
	robotsHop
	robotsFetched
	robotsExpires
	robotsFault
	robotsUsedOn
)

// robotsStatuses is how many statuses there are.
const robotsStatuses = int(crawler.RobotsElsewhere) + 1

func encodeRobots(buf []byte, r *crawler.HostRobots) []byte {
	e := encoder{}
	e.begin(buf)
	e.text(robotsScheme, r.Scheme)
	e.uint(robotsStatus, uint64(r.Status))
	e.int(robotsHTTP, int64(r.HTTP))
	e.bytes(robotsBody, r.Body)
	e.bool(robotsTruncated, r.Truncated)
	e.int(robotsTTL, int64(r.TTL))
	e.text(robotsDetail, r.Detail)
	e.text(robotsFile, r.Archive.File)
	e.int(robotsOffset, r.Archive.Offset)
	e.int(robotsLength, r.Archive.Length)
	if r.Hop != (crawler.RobotsHop{}) {
		e.bytes(robotsHop, encodeHop(nil, &r.Hop))
	}
	e.time(robotsFetched, r.Fetched)
	e.time(robotsExpires, r.Expires)
	e.text(robotsFault, string(r.Fault))
	e.text(robotsUsedOn, r.UsedOn)
	return e.b
}

func decodeRobots(value []byte) (crawler.HostRobots, error) {
	d := newDecoder(value)
	var r crawler.HostRobots
	for d.next() {
		switch d.num {
		case robotsScheme:
			r.Scheme = d.text()
		case robotsStatus:
			r.Status = crawler.RobotsStatus(d.below(robotsStatuses))
		case robotsHTTP:
			r.HTTP = d.int()
		case robotsBody:
			r.Body = d.bytes()
		case robotsTruncated:
			r.Truncated = d.bool()
		case robotsTTL:
			r.TTL = d.duration()
		case robotsDetail:
			r.Detail = d.text()
		case robotsFile:
			r.Archive.File = d.text()
		case robotsOffset:
			r.Archive.Offset = d.int64()
		case robotsLength:
			r.Archive.Length = d.int64()
		case robotsHop:
			r.Hop = d.hop()
		case robotsFetched:
			r.Fetched = d.time()
		case robotsExpires:
			r.Expires = d.time()
		case robotsFault:
			r.Fault = crawler.Reason(d.text())
		case robotsUsedOn:
			r.UsedOn = d.text()
		}
	}
	return r, d.err
}

// Fields of an answer that several hosts share.
const (
	answerURL = 1 + iota
	answerFile
	answerNext
	answerUntil
)

func encodeAnswer(buf []byte, a *crawler.HopAnswer) []byte {
	e := encoder{}
	e.begin(buf)
	e.text(answerURL, a.URL.String())
	if a.Next.IsZero() {
		e.bytes(answerFile, encodeRobots(nil, &crawler.HostRobots{RobotsFile: a.File}))
	} else {
		e.text(answerNext, a.Next.String())
	}
	e.time(answerUntil, a.Until)
	return e.b
}

// decodeAnswer reads an answer; its key says whether it is being handed on.
func decodeAnswer(key, value []byte) (crawler.HopAnswer, error) {
	d := newDecoder(value)
	a := crawler.HopAnswer{Handing: len(key) > hostBytes && key[hostBytes] == 0}
	for d.next() {
		switch d.num {
		case answerURL:
			a.URL = d.url()
		case answerFile:
			file, err := decodeRobots([]byte(d.text()))
			if err != nil {
				d.fail(err)
			}
			a.File = file.RobotsFile
		case answerNext:
			a.Next = d.url()
		case answerUntil:
			a.Until = d.time()
		}
	}
	return a, d.err
}
