package ledger

import (
	"encoding/binary"
	"fmt"
	"time"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// hostCount is what the rows of one host amount to.
type hostCount struct {
	key    weburl.HostKey
	host   crawler.HostState
	known  bool // there is a host record
	turn   crawler.TurnState
	active bool            // there is a turn record
	leased map[uint64]bool // URLs of the turn; true = a waiting row was found

	counts      [format.Outcomes]int64
	retry, deep int64
	retryAt     time.Time // earliest that a retry may be asked for
	queue       keySet    // entries that the rows should have
}

// name is how messages call the host.
func (h *hostCount) name() string {
	switch {
	case h.known:
		return string(h.host.Host)
	case h.active:
		return string(h.turn.Host)
	}
	return fmt.Sprintf("%016x", uint64(h.key))
}

func (v *verifier) oneHost(k weburl.HostKey) error {
	h := &hostCount{key: k}
	v.hostRecord(h)
	v.turnRecord(h)
	for n := 0; v.rows.at(k); v.rows.next() {
		if n++; n%1024 == 0 && v.ctx.Err() != nil {
			break
		}
		v.oneRow(h)
	}
	if err := v.ctx.Err(); err != nil {
		return err
	}
	v.compareTurn(h)
	v.compareCounts(h)
	var queued keySet
	for ; v.queue.at(k); v.queue.next() {
		queued.add(v.queue.it.Key())
	}
	v.Queued += queued.n
	if queued != h.queue {
		if err := v.explainQueue(h); err != nil {
			return err
		}
	}
	v.sideRecords(h)
	return nil
}

func (v *verifier) hostRecord(h *hostCount) {
	for ; v.hosts.at(h.key); v.hosts.next() {
		state, err := format.Stored(records.Host, v.hosts.it.Value())
		if err != nil || len(v.hosts.it.Key()) != format.HostBytes {
			v.differ("host %016x: its record is damaged (%v)", uint64(h.key), err)
			continue
		}
		h.host, h.known = state, true
		v.Tallies.Hosts++
		v.Tallies.Parked += state.Parked
		if state.Gone() {
			v.Tallies.Away++
		}
		if state.RobotsWait {
			v.waiters++
		}
		if state.Host.Key() != h.key {
			v.differ("host %s: its record lies under the key of another host", state.Host)
		}
		if binary.BigEndian.Uint16(v.hosts.it.Key()) != uint16(h.key.Partition()) {
			v.differ("host %s: its record lies in another partition", state.Host)
		}
		if due, is := state.Due(); is {
			v.due.add(format.AppendDueValue(format.AppendDue(v.key[:0], h.key, due), &state, due))
		}
	}
}

func (v *verifier) turnRecord(h *hostCount) {
	for ; v.turns.at(h.key); v.turns.next() {
		turn, err := format.Stored(records.Turn, v.turns.it.Value())
		if err != nil || len(v.turns.it.Key()) != format.HostBytes {
			v.differ("host %s: its turn is damaged (%v)", h.name(), err)
			continue
		}
		v.Turns++
		h.turn, h.active = turn, true
		h.leased = make(map[uint64]bool, len(turn.URLs))
		for _, u := range turn.URLs {
			if _, twice := h.leased[u]; twice {
				v.differ("host %s: its turn lists URL %016x twice", h.name(), u)
			}
			h.leased[u] = false
		}
	}
}

func (v *verifier) oneRow(h *hostCount) {
	k, ok := format.RowKeyOf(v.rows.it.Key())
	r, err := format.StoredRow(v.rows.it.Value())
	if !ok || err != nil {
		v.differ("row %x: is damaged (%v)", v.rows.it.Key(), err)
		return
	}
	if r.Key() != k {
		v.differ("row of %s: lies under the key of another URL", r.URL)
	}
	if h.known && r.URL.Host() != h.host.Host {
		v.differ("row of %s: lies among those of host %s", r.URL, h.host.Host)
	}
	v.sequence = max(v.sequence, r.Sequence)
	v.rowName(r)
	o := r.Outcome
	if o == crawler.Leased {
		v.differ("row of %s: is stored as leased, which only a turn can say", r.URL)
		return
	}
	_, leased := h.leased[k.URL]
	if leased && o == crawler.Waiting {
		o, h.leased[k.URL] = crawler.Leased, true
	}
	h.counts[o]++
	v.Tallies.Counts[o]++
	if r.Outcome == crawler.Waiting {
		v.waitingRow(h, k, r, leased)
		return
	}
	if o == crawler.Failed || o == crawler.Excluded {
		v.Tallies.Reasons[r.Reason]++
	}
	v.Tallies.Bytes += r.Bytes
}

func (v *verifier) waitingRow(h *hostCount, k weburl.URLKey, r *crawler.Row, leased bool) {
	v.key = format.AppendQueue(v.key[:0], k, r)
	h.queue.add(v.key)
	deep := v.job.Job.TooDeep(r.Depth)
	if deep {
		h.deep++
	}
	if r.Retrying() {
		h.retry++
		if !leased && !deep && (h.retryAt.IsZero() || r.RetryAt.Before(h.retryAt)) {
			h.retryAt = r.RetryAt
		}
	}
}

func (v *verifier) compareTurn(h *hostCount) {
	switch {
	case h.active && !h.known:
		v.differ("host %s: has a turn and no record", h.name())
	case h.active && h.turn.ID != h.host.Turn:
		v.differ("host %s: its record names turn %s, but turn %s is in force", h.name(), h.host.Turn, h.turn.ID)
	case !h.active && !h.host.Turn.IsZero():
		v.differ("host %s: its record names turn %s, of which there is no record", h.name(), h.host.Turn)
	}
	for u, found := range h.leased {
		if !found {
			v.differ("host %s: its turn lists URL %016x, which has no waiting row", h.name(), u)
		}
	}
}

func (v *verifier) compareCounts(h *hostCount) {
	if h.counts != [format.Outcomes]int64{} {
		v.withRows++
	}
	if !h.known {
		if h.counts != [format.Outcomes]int64{} {
			v.differ("host %s: has rows and no record", h.name())
		}
		return
	}
	for o, n := range h.counts {
		if h.host.Counts[o] != n {
			v.differ("host %s: its record says %d %s, but %d were counted", h.name(), h.host.Counts[o], crawler.Outcome(o), n)
		}
	}
	same := func(what string, says, counted int64) {
		if says != counted {
			v.differ("host %s: its record says %d rows that %s, but %d were counted", h.name(), says, what, counted)
		}
	}
	same("wait for another try", h.host.Retry, h.retry)
	if v.job.Job.Kind != "" && !v.work.Counts(h.key) {
		same("are too deep", h.host.Deep, h.deep)
		parked := h.host
		parked.Park(&v.job.Job)
		same("are beyond a limit", h.host.Parked, parked.Parked)
	}
	if !h.retryAt.IsZero() && h.host.Turn.IsZero() && h.host.RetryAt.After(h.retryAt) {
		v.differ("host %s: its record says that no retry is due before %s, but one is at %s",
			h.name(), clockText(h.host.RetryAt), clockText(h.retryAt))
	}
}

// explainQueue says in which entries queue and rows of a host differ.
func (v *verifier) explainQueue(h *hostCount) error {
	before := len(v.Differences)
	err := v.l.scan(v.snap, format.AppendHost(nil, format.KindRow, h.key), func(key, value []byte) error {
		k, _ := format.RowKeyOf(key)
		r, err := format.StoredRow(value)
		if err != nil || r.Outcome != crawler.Waiting {
			return v.ctx.Err()
		}
		if _, found, err := v.l.get(v.snap, format.AppendQueue(nil, k, r)); err != nil {
			return err
		} else if !found {
			v.differ("row of %s: waits and is not in the queue of its host", r.URL)
		}
		return v.ctx.Err()
	})
	if err != nil {
		return err
	}
	err = v.l.scan(v.snap, format.AppendHost(nil, format.KindQueue, h.key), func(key, _ []byte) error {
		e, ok := format.QueueEntryOf(key)
		if !ok {
			v.differ("queue entry %x: is none", key)
			return nil
		}
		rows, err := v.l.rows(v.snap, []weburl.URLKey{e.URL})
		if err != nil || rows[0] == nil {
			v.differ("queue entry %x: its row is not there", key)
		} else if r := rows[0]; r.Outcome != crawler.Waiting || string(format.AppendQueue(nil, e.URL, r)) != string(key) {
			v.differ("row of %s: is %s and has a queue entry that it should not have (%x)", r.URL, r.Outcome, key)
		}
		return v.ctx.Err()
	})
	if err == nil && len(v.Differences) == before && v.More == 0 {
		v.differ("host %s: its queue lies in another partition", h.name())
	}
	return err
}

// sideRecords counts the errands that wait at a host, and reads its robots files.
func (v *verifier) sideRecords(h *hostCount) {
	var errands int64
	for ; v.errands.at(h.key); v.errands.next() {
		errands++
		hop, err := format.Stored(records.Hop, v.errands.it.Value())
		if err != nil {
			v.differ("host %s: an errand is damaged (%v)", h.name(), err)
		} else if hop.URL.Host().Key() != h.key {
			v.differ("host %s: has the errand of %s to %s", h.name(), hop.For, hop.URL)
		}
	}
	v.Errands += errands
	if int64(h.host.Errands) != errands {
		v.differ("host %s: its record says %d errands, but %d were counted", h.name(), h.host.Errands, errands)
	}
	v.sharedAnswers(h)
	for ; v.domains.at(h.key); v.domains.next() {
		switch d, err := format.Stored(records.Domain, v.domains.it.Value()); {
		case err != nil || len(v.domains.it.Key()) != format.HostBytes:
			v.differ("domain %016x: its record is damaged (%v)", uint64(h.key), err)
		case d.Key() != h.key:
			v.differ("domain %s: its record lies under the key of another", d.Domain)
		}
	}
	for ; v.robots.at(h.key); v.robots.next() {
		if _, err := format.Stored(records.HostRobots, v.robots.it.Value()); err != nil {
			v.differ("host %s: its robots file is damaged (%v)", h.name(), err)
		}
	}
}

// sharedAnswers reads the answers of a host that others share, and counts those that are being handed on.
func (v *verifier) sharedAnswers(h *hostCount) {
	handing := 0
	for ; v.answers.at(h.key); v.answers.next() {
		a, err := format.StoredAnswer(v.answers.it.Key(), v.answers.it.Value())
		if err != nil {
			v.differ("host %s: a robots answer is damaged (%v)", h.name(), err)
		} else if string(v.answers.it.Key()) != string(format.AppendAnswer(nil, a.URL.Key(), a.Handing)) {
			v.differ("host %s: the robots answer of %s lies under another key", h.name(), a.URL)
		}
		if a.Handing {
			handing++
		}
	}
	if h.host.Handing != handing {
		v.differ("host %s: its record says that %d robots answers are being handed on, but %d were counted", h.name(), h.host.Handing, handing)
	}
}
