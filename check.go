package trawl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/node"
	"trawl/scheduler"
	"trawl/storage"
	"trawl/storage/check"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

const (
	// MaxProblems is how many problems a CheckReport lists; more are counted.
	MaxProblems = 100
	// MaxRepairs is how many rows one check takes back, 16 bytes of memory each; with more, repair again.
	MaxRepairs = 4 << 20
	// MaxRobotsRepairs is how many hosts' robots files one check takes care of.
	MaxRobotsRepairs = 256 << 10
)

// CheckReport is what a check found. OK is the proof: the ledger balances, and every row that names a record has
// it here, with the row's URL and digest.
type CheckReport struct {
	Dir      string `json:"dir"`
	OK       bool   `json:"ok"`
	Balances bool   `json:"balances"` // the ledger, by itself

	Rows   int64            `json:"rows"`
	Counts map[string]int64 `json:"counts"` // rows by outcome, as counted
	Hosts  int64            `json:"hosts"`

	Records  int64                  `json:"records"`  // that rows and robots files name
	Verified int64                  `json:"verified"` // of these, there and as they should be
	Files    int64                  `json:"files"`    // that were read
	Shipping map[string]int64       `json:"shipping"` // records that are still with a fetcher, by its name
	Orphans  map[check.Orphan]int64 `json:"orphans"`  // records that no row points to, by kind

	Problems []string `json:"problems"`
	More     int64    `json:"more_problems"`
	Notes    []string `json:"notes,omitempty"` // what is odd and harms no row

	Repaired     bool  `json:"repaired"`      // it was asked for, and all problems of records are mended
	WaitAgain    int64 `json:"wait_again"`    // rows that were taken back to be fetched again
	RobotsMended int64 `json:"robots_mended"` // robots files that forgot a lost record
	LeftToRepair int64 `json:"left_to_repair,omitempty"`
}

// checkDir is [Target]'s Check.
func checkDir(ctx context.Context, path string, repair bool) (CheckReport, error) {
	dir, err := openAtRest(path)
	if errors.Is(err, storage.ErrInUse) {
		err = fmt.Errorf("%w; stop it first (trawl stop %s)", err, path)
	}
	if err != nil {
		return CheckReport{}, err
	}
	c := &checker{dir: dir, report: CheckReport{Dir: path, Counts: make(map[string]int64), Problems: []string{}}}
	c.lost.Robots = make(map[weburl.Host][]string)
	err = c.prove(ctx)
	if err == nil && repair && !c.report.OK {
		err = c.repair(ctx)
	}
	return c.report, errors.Join(err, dir.Close())
}

type checker struct {
	dir    *crawldir.Dir
	report CheckReport
	lost   scheduler.Lost
}

func (c *checker) prove(ctx context.Context) (err error) {
	l, err := ledger.Open(c.dir.Ledger(), ledger.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := c.balance(ctx, l); err != nil {
		return err
	}
	if err := c.archive(ctx, l); err != nil {
		return err
	}
	c.report.OK = c.report.Balances && len(c.report.Problems) == 0 && len(c.report.Shipping) == 0
	return nil
}

func (c *checker) balance(ctx context.Context, l *ledger.Ledger) error {
	b, err := l.Verify(ctx)
	if err != nil {
		return err
	}
	r := &c.report
	r.Balances, r.Rows, r.Hosts = b.OK(), b.Tallies.Seen(), b.Tallies.Hosts
	for o, n := range b.Tallies.Counts {
		r.Counts[crawler.Outcome(o).String()] = n
	}
	c.problems("ledger: ", b.Differences, b.More)
	return nil
}

func (c *checker) archive(ctx context.Context, l *ledger.Ledger) error {
	loaded, err := l.Load(ctx)
	if err != nil {
		return err
	}
	b, err := check.Archive(ctx, c.dir.Path(), l, check.Options{
		Job: &loaded.State.Job, Local: node.LocalFetcher, Gone: c.gone,
		GoneRobots: c.goneRobots,
	})
	if err != nil {
		return err
	}
	r := &c.report
	r.Records, r.Verified, r.Files = b.Pointers+b.Robots, b.Verified, b.Files
	r.Shipping, r.Orphans, r.Notes = b.Shipping, b.Orphans, b.Notes[:min(len(b.Notes), MaxProblems)]
	c.problems("", b.Differences, b.More)
	return nil
}

func (c *checker) gone(k weburl.URLKey) {
	if len(c.lost.Rows) == MaxRepairs {
		c.report.LeftToRepair++
		return
	}
	c.lost.Rows = append(c.lost.Rows, k)
}

func (c *checker) goneRobots(h weburl.Host, scheme string) {
	if c.lost.Robots[h] == nil && len(c.lost.Robots) == MaxRobotsRepairs {
		c.report.LeftToRepair++
		return
	}
	c.lost.Robots[h] = append(c.lost.Robots[h], scheme)
}

func (c *checker) problems(prefix string, list []string, more int64) {
	r := &c.report
	for _, text := range list {
		if len(r.Problems) == MaxProblems {
			more++
			continue
		}
		r.Problems = append(r.Problems, prefix+text)
	}
	r.More += more
}

// repair takes back what lost its record. A ledger that does not balance is left alone.
func (c *checker) repair(ctx context.Context) (err error) {
	if !c.report.Balances {
		return nil
	}
	l, err := ledger.Open(c.dir.Ledger(), ledger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	r := &c.report
	if r.LeftToRepair == 0 { // no row needs them any more
		if c.lost.Files, err = check.Unshipped(c.dir.Path(), l); err != nil {
			return err
		}
	}
	if r.WaitAgain, err = scheduler.Repair(ctx, l, c.lost); err != nil {
		return err
	}
	for _, schemes := range c.lost.Robots {
		r.RobotsMended += int64(len(schemes))
	}
	b, err := l.Verify(ctx)
	if err != nil {
		return err
	}
	if !b.OK() {
		return fmt.Errorf("the ledger does not balance after the repair, which must not be: %s", b.Differences[0])
	}
	r.Repaired = r.LeftToRepair == 0
	return nil
}

// OrphanKinds lists the kinds of orphans that were found, sorted.
func (r *CheckReport) OrphanKinds() []check.Orphan { return slices.Sorted(maps.Keys(r.Orphans)) }
