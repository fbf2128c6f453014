package ledger

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/records"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// Facts reads what the ledger knows of one URL and its host, all as of one moment; what only a running job
// knows is left for the caller (State, WaitsFor). It may be called beside commits.
func (l *Ledger) Facts(u weburl.URL) (explain.Facts, error) {
	snap := l.db.NewSnapshot()
	defer snap.Close()
	r := factsReader{l: l, snap: snap, s: stories{l: l}, f: explain.Facts{URL: u}}
	for _, read := range []func() error{r.job, r.host, r.row, r.scope} {
		if err := read(); err != nil {
			return explain.Facts{}, fmt.Errorf("read the facts of %s: %w", u, err)
		}
	}
	return r.f, l.failure()
}

type factsReader struct {
	l    *Ledger
	snap *pebble.Snapshot
	s    stories // tells rows of this host as people see them
	f    explain.Facts
}

func (r *factsReader) job() error {
	if err := r.s.load(r.snap); err != nil {
		return err
	}
	r.f.Job, r.f.Tallies, r.f.Now = r.s.state, r.s.tallies, r.s.now
	return nil
}

func (r *factsReader) host() error {
	name := r.f.URL.Host()
	h, found, err := r.l.host(r.snap, name.Key())
	if err != nil || !found || h.Host != name {
		return err
	}
	r.f.Host, r.s.host = &h, h
	value, found, err := r.l.get(r.snap, format.AppendHost(nil, format.KindTurn, name.Key()))
	if err != nil {
		return err
	}
	if found {
		t, err := format.Stored(records.Turn, value)
		if err != nil {
			return r.l.damage("turn of host "+string(name), err)
		}
		r.f.Turn = &t
		if err := r.s.setTurn(name.Key(), value); err != nil {
			return err
		}
	}
	return r.l.scan(r.snap, format.AppendHost(nil, format.KindRobots, name.Key()), func(_, value []byte) error {
		file, err := format.Stored(records.HostRobots, value)
		if err != nil {
			return r.l.damage("robots file of "+string(name), err)
		}
		r.f.Robots = append(r.f.Robots, file)
		return nil
	})
}

func (r *factsReader) row() error {
	row, err := r.find(r.f.URL)
	if err != nil || row == nil {
		return err
	}
	for at := row; at.Via != ""; {
		if len(r.f.Chain) == explain.MaxChain {
			r.f.Cut = true
			break
		}
		via, err := weburl.Parse(at.Via)
		if err != nil {
			return r.l.damage("row of "+at.URL.String(), errors.New("its via is no URL"))
		}
		if at, err = r.find(via); err != nil {
			return err
		}
		if at == nil {
			r.f.Cut = true
			break
		}
		r.f.Chain = append(r.f.Chain, at)
	}
	r.s.tell(row)
	r.f.Row = row
	return nil
}

// find reads a row as it is stored, nil when there is none.
func (r *factsReader) find(u weburl.URL) (*crawler.Row, error) {
	rows, err := r.l.rows(r.snap, []weburl.URLKey{u.Key()})
	if err != nil || rows[0] == nil || rows[0].URL != u {
		return nil, err
	}
	return rows[0], nil
}

func (r *factsReader) scope() error {
	s, err := crawler.NewScope(&r.f.Job.Job)
	if err != nil {
		return err
	}
	for seed := range s.Openers(r.f.URL) {
		_, found, err := r.l.get(r.snap, format.AppendScope(nil, seed))
		if err != nil {
			return err
		}
		if found {
			r.f.Opened = append(r.f.Opened, seed)
		}
	}
	return nil
}
