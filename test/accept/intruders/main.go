// Command intruders runs a cluster (a scheduler and fetchers, with a secret) on a synthetic web and does to it what
// intruders would: strangers without the secret, listeners who replay what they recorded, and a member that uses a
// fetcher's rights against the others. It prints a line for each check and ends with status 1 when one fails.
//
//	intruders TRAWL SEEDS DIR OTHERVERSION
//
// TRAWL is the program, SEEDS a file of seeds, DIR an empty directory to work in, and OTHERVERSION a build of the
// program that speaks another version of the protocol, or "".
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "intruders:", err)
		os.Exit(1)
	}
}

// limit is how long all of it may take.
const limit = 4 * time.Minute

func run(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("usage: intruders TRAWL SEEDS DIR OTHERVERSION")
	}
	s := &suite{trawl: args[0], seeds: args[1], dir: args[2], other: args[3]}
	raiseFiles()
	err := s.play(ctx)
	s.stopAll()
	if err != nil {
		return err
	}
	if s.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", s.failed, s.checks)
	}
	fmt.Printf("ok: %d checks\n", s.checks)
	return nil
}

// suite is one run of all checks.
type suite struct {
	trawl, seeds, dir, other string

	mine, theirs  *realm // who holds which secret: the attacked one, and another
	port          int    // of the scheduler's gossip; queue and control follow
	toScheduler   *relay
	toFetcher     *relay
	scheduler, f1 *process
	f2, gone      *process

	mu             sync.Mutex // guards what follows
	processes      []*process
	checks, failed int
}

// check reports one check: figures when it holds, an error when it does not.
func (s *suite) check(name string, f func() (string, error)) {
	begin := time.Now()
	figures, err := f()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks++
	took := time.Since(begin).Round(100 * time.Millisecond)
	if err != nil {
		s.failed++
		fmt.Printf("FAIL %s: %v [%s]\n", name, err, took)
		return
	}
	fmt.Printf("ok   %s: %s [%s]\n", name, figures, took)
}

// play starts the cluster and does one thing after the other while it crawls.
func (s *suite) play(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("start the cluster: %w", err)
	}
	quiet, err := s.pace(ctx, 8*time.Second)
	if err != nil {
		return err
	}
	before, err := s.weigh()
	if err != nil {
		return err
	}
	fmt.Printf("     undisturbed: %.0f pages a second; %s\n", quiet, before)

	s.check("nodes that may not join", func() (string, error) { return s.wrongNodes(ctx) })
	s.check("strangers at the TLS of queue and control", func() (string, error) { return s.strangers(ctx) })
	s.check("forged gossip", func() (string, error) { return s.forgedGossip(ctx) })
	s.check("recorded gossip, at once and from elsewhere", func() (string, error) { return s.replayGossip(ctx, "127.0.0.9") })
	s.check("recorded queue and control connections", func() (string, error) { return s.replayTLS(ctx) })
	s.check("a fetcher's rights used against the others: turns and parts", func() (string, error) { return s.insider(ctx) })
	s.check("a fetcher's rights used against the others: the queue", func() (string, error) { return s.rights(ctx) })
	s.check("what the control API does not do for a member", func() (string, error) { return s.shipments(ctx) })
	s.check("garbage, silence and a byte a second on every port", func() (string, error) { return s.garbage(ctx) })
	s.check("10,000 connections at once", func() (string, error) { return s.crowd(ctx, quiet) })
	s.check("1,000 control requests at once", func() (string, error) { return s.requests(ctx) })
	s.check("a member that left, brought back by a recording", func() (string, error) { return s.ghost(ctx) })
	s.check("recorded gossip, much later", func() (string, error) { return s.replayGossip(ctx, "") })
	s.check("memory, files and pace afterwards", func() (string, error) { return s.recovered(ctx, before, quiet) })
	s.check("refusals are counted in the log", s.refusals)
	s.check("modes of files and directories", s.modes)
	s.check("the end of a node that crashes", func() (string, error) { return s.crash(ctx) })
	s.check("the ledger", func() (string, error) { return s.ledger(ctx) })
	s.check("no secrets in logs, files, status and process list", s.secrets)
	return nil
}
