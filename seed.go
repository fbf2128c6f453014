package trawl

import (
	"context"

	"trawl/crawler/weburl"
	"trawl/internal/machine"
	"trawl/internal/seeds"
)

// seed admits the seeds that the run was given. At the end of the run it returns even when their reader is still
// waiting for input.
func (r *run) seed(ctx context.Context) error {
	given := r.o.Seeds
	if given == nil {
		given = func(func(Seed, error) bool) {}
	}
	bad := func(b *BadLine) {
		r.badSeeds.Add(1)
		r.o.BadSeed(b)
	}
	beside := machine.OpenNeighbours(r.o.RuntimeDir, r.dir.Path(), r.dir.SeedHosts(), r.neighbourWarning)
	defer beside.Close()
	admit := func(ctx context.Context, batch []Seed, last bool) error {
		hosts := make([]weburl.Host, len(batch))
		for i := range batch {
			hosts[i] = batch[i].URL.Host()
		}
		beside.Add(hosts)
		return r.sched.Seed(ctx, batch, last)
	}
	if err := seeds.NewFeed(given, bad, admit).Run(ctx); err != nil {
		return cleanEnd(err)
	}
	close(r.seeded)
	<-ctx.Done() // the note of the seeds' hosts stands while the job runs
	return nil
}

// neighbourWarning says what two jobs with one host should know.
func (r *run) neighbourWarning(host weburl.Host, other machine.Note) {
	r.o.Logger.Warn("another crawl on this machine has the same host among its seeds; each keeps its own delay, so the host is asked more often: crawl it in one job, or give both a longer `delay`",
		"host", host, "other_directory", other.Crawl, "other_process", other.PID)
}
