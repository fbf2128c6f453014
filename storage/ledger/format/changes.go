package format

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/session"
)

// Changes writes a change of the ledger at a time of its clock.
func (w *Writer) Changes(c *crawler.Changes, clock time.Time) {
	for i := range c.Rows {
		w.row(c.Rows[i].Old, c.Rows[i].New)
	}
	for i := range c.Hosts {
		w.host(c.Hosts[i].Old, c.Hosts[i].New)
	}
	for _, h := range c.EndTurns {
		w.delete(AppendHost(w.key[:0], KindTurn, h.Key()))
	}
	for i := range c.Turns {
		w.value = records.Turn.Append(w.value[:0], &c.Turns[i])
		w.set(AppendHost(w.key[:0], KindTurn, c.Turns[i].Host.Key()))
	}
	for i := range c.Robots {
		w.value = records.HostRobots.Append(w.value[:0], &c.Robots[i].File)
		w.set(appendRobots(w.key[:0], c.Robots[i].Host.Key(), c.Robots[i].File.Scheme))
	}
	for i := range c.Domains {
		w.domain(&c.Domains[i])
	}
	for i := range c.EndErrands {
		w.delete(AppendErrand(w.key[:0], &c.EndErrands[i]))
	}
	for i := range c.Errands {
		if c.Errands[i].URL.IsZero() {
			w.fail(errors.New("an errand has no URL"))
			return
		}
		w.value = records.Hop.Append(w.value[:0], &c.Errands[i])
		w.set(AppendErrand(w.key[:0], &c.Errands[i]))
	}
	for i := range c.Answers {
		a := &c.Answers[i]
		if a.URL.IsZero() {
			w.fail(errors.New("an answer has no URL"))
			return
		}
		w.delete(AppendAnswer(w.key[:0], a.URL.Key(), !a.Handing))
		w.value = records.HopAnswer.Append(w.value[:0], a)
		w.set(AppendAnswer(w.key[:0], a.URL.Key(), a.Handing))
	}
	for _, seed := range c.Scope {
		w.value = w.value[:0]
		w.set(AppendScope(w.key[:0], seed))
	}
	w.owed(c)
	w.names(&c.Names)
	w.own(c, clock)
}

// own writes the records of the ledger as a whole.
func (w *Writer) own(c *crawler.Changes, clock time.Time) {
	w.Time(MetaClock, clock)
	if c.Position != 0 {
		w.Number(MetaPosition, c.Position)
	}
	if c.Sequence != 0 {
		w.Number(MetaSequence, c.Sequence)
	}
	if c.Tallies != nil {
		w.json(MetaTallies, c.Tallies)
	}
	if c.State != nil {
		w.json(MetaState, c.State)
	}
	if c.Work != nil {
		w.json(MetaWork, c.Work)
	}
	if c.Ran != 0 {
		w.Number(MetaRan, uint64(c.Ran))
	}
	if !c.Quiet.IsZero() {
		w.Time(MetaQuiet, c.Quiet)
		w.delete(AppendMeta(w.key[:0], MetaRecall))
	}
}

// row puts a row and keeps its queue entry in step.
func (w *Writer) row(old, new *crawler.Row) {
	if err := rowChangeError(old, new); err != nil {
		w.fail(err)
		return
	}
	k := new.Key()
	w.value = records.Row.Append(w.value[:0], new)
	w.set(AppendRow(w.key[:0], k))
	var entry [retryBytes]byte
	put, kept := new.Outcome == crawler.Waiting, false
	if put {
		w.key = AppendQueue(w.key[:0], k, new)
	}
	if old != nil && old.Outcome == crawler.Waiting {
		gone := AppendQueue(entry[:0], k, old)
		if kept = put && string(gone) == string(w.key); !kept {
			w.remove(gone)
		}
	}
	if put && !kept {
		w.value = w.value[:0]
		w.set(w.key)
	}
}

func rowChangeError(old, new *crawler.Row) error {
	switch {
	case new == nil || new.URL.IsZero():
		return errors.New("a change of a row has no new row")
	case old != nil && old.URL != new.URL:
		return fmt.Errorf("a change of the row of %s has the row of %s as its old one", new.URL, old.URL)
	case new.Outcome == crawler.Leased || int(new.Outcome) >= Outcomes:
		return fmt.Errorf("the row of %s has outcome %s, which is not stored", new.URL, new.Outcome)
	}
	return nil
}

// host puts a host and keeps its due entry in step.
func (w *Writer) host(old, new *crawler.HostState) {
	if new == nil || new.Host == "" || old != nil && old.Host != new.Host {
		w.fail(errors.New("a change of a host has no new host, or another one's old state"))
		return
	}
	k := new.Host.Key()
	w.value = records.Host.Append(w.value[:0], new)
	w.set(AppendHost(w.key[:0], KindHost, k))
	due, put := new.Due()
	if old != nil {
		if was, had := old.Due(); had && !(put && OrderOf(was) == OrderOf(due)) {
			w.delete(AppendDue(w.key[:0], k, was))
		} else if had && old.Rank(was) == new.Rank(due) {
			return
		}
	}
	if put {
		w.value = AppendDueValue(w.value[:0], new, due)
		w.set(AppendDue(w.key[:0], k, due))
	}
}

func (w *Writer) domain(d *session.DomainState) {
	key := AppendHost(w.key[:0], KindDomain, d.Key())
	if d.Empty() {
		w.delete(key)
		return
	}
	w.value = records.Domain.Append(w.value[:0], d)
	w.set(key)
}

func (w *Writer) json(name string, v any) {
	b, err := json.Marshal(v)
	w.fail(err)
	w.Bytes(name, b)
}

// owed writes which rows the reader of the stream has still to get, and removes those that were delivered.
func (w *Writer) owed(c *crawler.Changes) {
	if c.Delivered > 0 {
		w.Append(editDeleteRange, AppendOwed(nil, 0), AppendOwed(nil, c.Delivered+1))
	}
	for _, o := range c.Owed {
		w.value = binary.BigEndian.AppendUint64(w.value[:0], uint64(o.Key.Host))
		w.value = binary.BigEndian.AppendUint64(w.value, o.Key.URL)
		w.set(AppendOwed(w.key[:0], o.Number))
	}
}

// names writes a change's part about names. What ends comes before what is put.
func (w *Writer) names(n *crawler.NameChanges) {
	w.value = w.value[:0]
	for _, a := range n.EndAwaits {
		w.delete(appendAwait(w.key[:0], a))
	}
	for _, k := range n.Placed {
		w.delete(AppendURLKey(w.key[:0], KindUnplaced, k))
	}
	for _, g := range n.Given {
		w.value = append(w.value[:0], g.URL.String()...)
		w.set(AppendName(w.key[:0], g.Key))
	}
	for _, a := range n.Aliases {
		w.value = append(w.value[:0], a.Want[:]...)
		w.value = append(w.value, a.Name...)
		w.set(AppendAlias(w.key[:0], a.Of, a.Sequence))
	}
	for _, a := range n.Awaits {
		w.value = w.value[:0]
		w.set(appendAwait(w.key[:0], a))
	}
	for _, u := range n.Unplaced {
		w.value = binary.BigEndian.AppendUint64(w.value[:0], u.Version)
		w.set(AppendURLKey(w.key[:0], KindUnplaced, u.Key))
	}
	for _, f := range n.Shipped {
		if f.Rows == 0 {
			w.delete(AppendShipped(w.key[:0], f.Name))
			continue
		}
		w.value = binary.AppendUvarint(w.value[:0], uint64(f.Rows))
		w.value = append(binary.AppendUvarint(w.value, uint64(f.End)), f.Fetcher...)
		w.set(AppendShipped(w.key[:0], f.Name))
	}
}
