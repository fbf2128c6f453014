// Command ledger makes a crawl directory whose ledger has as many rows as it is told, as a crawl that was killed leaves them:
// fetched, failed, redirected, excluded and waiting ones of many hosts, each with its texts, digest and locator. What
// waits lies at addresses in 127.0.0.0/8, where the web of ../web answers. The ledger balances; its archive is not there.
//
//	ledger [-hosts N] [-rows N] [-port PORT] [-verify] DIR
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
}

const (
	// chunkHosts is how many hosts go into one commit.
	chunkHosts = 200
	// memtable keeps tables in memory large while nothing reads, in bytes.
	memtable = 64 << 20
)

// plan is what is to be made.
type plan struct {
	dir    string
	hosts  int
	rows   int // of each host
	port   int
	verify bool
}

func run(args []string, out io.Writer) error {
	p := plan{}
	f := flag.NewFlagSet("ledger", flag.ContinueOnError)
	f.IntVar(&p.hosts, "hosts", 100_000, "hosts, at most 4 million")
	f.IntVar(&p.rows, "rows", 100, "rows of each host")
	f.IntVar(&p.port, "port", 8080, "`port` of the hosts")
	f.BoolVar(&p.verify, "verify", false, "count again what DIR holds, and make nothing")
	if err := f.Parse(args); err != nil {
		return err
	}
	if p.dir = f.Arg(0); f.NArg() != 1 || p.hosts < 1 || p.hosts > 4<<20 || p.rows < 1 {
		return errors.New("usage: ledger [-hosts N] [-rows N] [-port PORT] [-verify] DIR")
	}
	if p.verify {
		return verify(p.dir, out)
	}
	begin := time.Now()
	total, err := p.make()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d rows of %d hosts after %.0f s\n", total.Seen(), total.Hosts, time.Since(begin).Seconds())
	return nil
}

// make writes the directory and tells what is in it.
func (p *plan) make() (total crawler.Tallies, err error) {
	dir, err := crawldir.Open(p.dir, true)
	if err != nil {
		return total, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	l, err := ledger.Open(dir.Ledger(), ledger.Options{MemtableBytes: memtable})
	if err != nil {
		return total, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if seen, err := l.Load(context.Background()); err != nil || !seen.Fresh {
		return total, errors.Join(fmt.Errorf("%s holds a crawl", p.dir), err)
	}
	m := &maker{port: p.port, rows: p.rows, now: time.Now().Truncate(time.Millisecond)}
	total.Reasons = make(map[crawler.Reason]int64)
	chunks := m.start(p.hosts)
	defer func() {
		for range chunks { // lets the makers end
		}
	}()
	for c := range chunks {
		c.addTo(&total)
		tallies := total.Clone()
		c.changes.Tallies, c.changes.Sequence = &tallies, uint64(p.hosts*p.rows)
		if err := l.Commit(&c.changes); err != nil {
			return total, err
		}
	}
	job := crawler.NewJob(crawler.Crawl)
	job.Archive = crawler.ArchiveNone
	state := crawler.JobState{Job: job, Given: job, Seeded: true}
	return total, l.Commit(&crawler.Changes{Now: m.now, State: &state})
}

// start makes chunks in the order of hosts' keys, as fast as they are taken.
func (m *maker) start(hosts int) <-chan *chunk {
	order := make([]int, hosts)
	keys := make([]weburl.HostKey, hosts)
	for i := range order {
		order[i], keys[i] = i, weburl.Host(m.host(i)).Key()
	}
	slices.SortFunc(order, func(a, b int) int {
		if keys[a] < keys[b] {
			return -1
		}
		return 1
	})
	out := make(chan *chunk, 2)
	next := make(chan []int)
	go func() {
		defer close(next)
		for part := range slices.Chunk(order, chunkHosts) {
			next <- part
		}
	}()
	var makers sync.WaitGroup
	for range 2 {
		makers.Go(func() {
			for part := range next {
				out <- m.chunk(part)
			}
		})
	}
	go func() {
		makers.Wait()
		close(out)
	}()
	return out
}

// verify counts a ledger again.
func verify(path string, out io.Writer) (err error) {
	dir, err := crawldir.Open(path, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	l, err := ledger.Open(dir.Ledger(), ledger.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	b, err := l.Verify(context.Background())
	if err != nil {
		return err
	}
	if !b.OK() {
		return fmt.Errorf("%d differences, the first: %s", int64(len(b.Differences))+b.More, b.Differences[0])
	}
	fmt.Fprintf(out, "balances: %d rows of %d hosts, %d queued, %d turns\n", b.Tallies.Seen(), b.Tallies.Hosts, b.Queued, b.Turns)
	return nil
}
