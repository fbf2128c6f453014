package node

import (
	"context"

	"trawl/crawler/weburl"
	"trawl/internal/machine"
	"trawl/internal/seeds"
)

// seed admits the seeds that the run was given. At the end of the run it returns even when their reader is still
// waiting for input.
func (s *Scheduler) seed(ctx context.Context) error {
	given := s.o.Seeds
	if given == nil {
		given = func(func(seeds.Seed, error) bool) {}
	}
	bad := func(b *seeds.BadLine) {
		s.badSeeds.Add(1)
		s.o.BadSeed(b)
	}
	beside := machine.OpenNeighbours(s.o.RuntimeDir, s.o.Dir.Path(), s.o.Dir.SeedHosts(), s.neighbourWarning)
	defer beside.Close()
	admit := func(ctx context.Context, batch []seeds.Seed, last bool) error {
		hosts := make([]weburl.Host, len(batch))
		for i := range batch {
			hosts[i] = batch[i].URL.Host()
		}
		beside.Add(hosts)
		return s.core.Seed(ctx, batch, last)
	}
	if err := seeds.NewFeed(given, bad, admit).Run(ctx); err != nil {
		return cleanEnd(err)
	}
	close(s.seeded)
	<-ctx.Done() // the note of the seeds' hosts stands while the job runs
	return nil
}

// neighbourWarning says what two jobs with one host should know.
func (s *Scheduler) neighbourWarning(host weburl.Host, other machine.Note) {
	s.o.Logger.Warn("another crawl on this machine has the same host among its seeds; each keeps its own delay, so the host is asked more often: crawl it in one job, or give both a longer `delay`",
		"host", host, "other_directory", other.Crawl, "other_process", other.PID)
}
