package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"

	"trawl"
	"trawl/cmd/trawl/view"
	"trawl/crawler"
	"trawl/internal/seeds"
)

func (p *program) crawlCommand() *cobra.Command {
	f := &jobFlags{}
	c := &cobra.Command{
		Use:   "crawl [flags] SEED…",
		Short: "Follow links from the seeds within scope",
		Long: "Follow links from the seeds (URLs, files of URLs, or - for standard input) within scope.\n" +
			"On a directory that holds a crawl, go on with it.",
		Example: "  trawl crawl https://example.com/ --export pages.jsonl",
		RunE:    func(c *cobra.Command, args []string) error { return p.runJob(c, f, args, false) },
	}
	f.add(c, crawler.Crawl)
	f.addWorkers(c)
	return c
}

func (p *program) downloadCommand() *cobra.Command {
	f := &jobFlags{}
	c := &cobra.Command{
		Use:     "download [flags] LIST…",
		Short:   "Fetch each listed URL once, follow nothing, keep the files",
		Long:    "Fetch each listed URL (files of URLs, URLs, or - for standard input) once, and keep the files in DIR/files/.\nA line is a URL, or URL<TAB>NAME. Lists may be in gzip, and with --column tables.",
		Example: "  trawl download list.txt --dir images\n  trawl download rows.csv --column url",
		RunE:    func(c *cobra.Command, args []string) error { return p.runJob(c, f, args, false) },
	}
	f.add(c, crawler.Download)
	f.addWorkers(c)
	return c
}

func (p *program) schedulerCommand() *cobra.Command {
	f := &jobFlags{}
	c := &cobra.Command{
		Use:     "scheduler [flags] SEED…",
		Short:   "Run a job for fetchers on other machines to join",
		Long:    "Run the same job as crawl (with --download: as download) for fetchers on other machines to join.",
		Example: "  trawl secret > secret\n  trawl scheduler seeds.txt --secret-file secret\n  trawl fetcher --join HOST:7946 --secret-file secret   # on each machine",
	}
	f.add(c, crawler.Crawl)
	addCluster(c, &f.cluster, &f.keys)
	c.Flags().BoolVar(&f.node.Stay, "stay", false, "stay for more seeds when the job is done")
	c.Flags().BoolVar(&f.download, "download", false, "fetch each listed URL once and keep the files")
	c.RunE = func(c *cobra.Command, args []string) error { return p.runJob(c, f, args, true) }
	return c
}

// asDownload gives a scheduler's job the defaults of a download, where the user said nothing.
func (f *jobFlags) asDownload(c *cobra.Command) {
	for _, s := range crawler.Settings() {
		if !c.Flags().Changed(s.Name) {
			s.Reset(&f.job, true)
		}
	}
}

// runJob runs crawl, download and scheduler.
func (p *program) runJob(c *cobra.Command, f *jobFlags, args []string, serve bool) error {
	args, bad := f.settings(c, args)
	job, o, err := f.options(c)
	if err = errors.Join(bad, f.config.locate(err)); err != nil {
		return err
	}
	if f.config.print {
		return p.printJob(c, job, o, args)
	}
	aimAt(o.Memory)
	show, begun := p.progress(f), time.Now()
	o.Stdout, o.Proxy = p.stdout, httpproxy.FromEnvironment().ProxyFunc()
	o.RuntimeDir = runtimeDir()
	o.Level = new(slog.LevelVar)
	o.Logger = p.logger(&f.log, o.Level)
	if f.cluster.Keys, err = f.keys.open(o.Logger); err != nil {
		return err
	}
	if serve {
		o.Serve = &f.cluster
	}
	f.private.warn(o.Logger)
	if err := p.seeds(&job, &o, f.lists, args); err != nil {
		return err
	}
	o.Seeds = show.Seeds.Count(o.Seeds)
	crawl, err := trawl.New(job, o)
	if err != nil {
		return err
	}
	defer crawl.Close()
	job = crawl.Job()
	show.Kept(crawl)
	if slices.Contains(o.Exports, "-") {
		signal.Ignore(syscall.SIGPIPE) // the job stops in order when nobody reads any more
	}
	ctx, stop := p.signals(c.Context(), crawl.Dir(), &f.keys)
	defer stop()
	defer f.keys.hangups(ctx, f.cluster.Keys)()
	done := show.Run(ctx, crawl, &job, o.Workers)
	err = crawl.Run(f.clock.moves(ctx))
	done()
	if err != nil {
		return err
	}
	p.status = p.summary(crawl, begun)
	return nil
}

// settings reads the configuration file, and gives the seeds: those of the command line, or else the file's.
func (f *jobFlags) settings(c *cobra.Command, args []string) ([]string, error) {
	f.retryFailed, args = retryWord(f.retryFailed, args)
	if err := f.config.read(c.Flags(), c.CommandPath(), true); err != nil {
		return nil, err
	}
	if err := f.takeKind(c); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		args = f.config.seeds
	}
	return args, nil
}

// takeKind makes a scheduler's job a download where the flag or the file says so. The kind of other
// commands' jobs is the command, and a file for another one is refused.
func (f *jobFlags) takeKind(c *cobra.Command) error {
	kind := f.config.kind
	if download := c.Flags().Lookup("download"); download != nil {
		f.download = f.download || kind == crawler.Download && !download.Changed
	}
	if f.download {
		f.asDownload(c)
	}
	if kind != "" && kind != f.job.Kind {
		return usage("%s:%d: kind: these are the settings of a %s: use trawl %s", f.config.file, f.config.lines["kind"], kind, kind)
	}
	return nil
}

// printJob prints the current settings, those that the directory remembers among them, and does nothing else.
func (p *program) printJob(c *cobra.Command, job crawler.Job, o trawl.Options, args []string) error {
	if dir, err := seeds.DefaultDir(args); err == nil && o.Dir == "" {
		if err := c.Flags().Set("dir", dir); err != nil {
			return err
		}
		o.Dir = dir
	}
	if c.Flags().Lookup("stay") != nil {
		o.Serve = &trawl.Cluster{}
	}
	job, err := trawl.Remembered(job, o)
	if err != nil {
		return err
	}
	return printConfig(p.stdout, c.Flags(), &job, args)
}

// seeds opens the seeds as a stream. Bad lines are told and the rest goes on.
func (p *program) seeds(job *crawler.Job, o *trawl.Options, lists trawl.Lists, args []string) error {
	if err := lists.Check(args); err != nil {
		return err
	}
	if o.Dir == "" {
		dir, err := seeds.DefaultDir(args)
		if err != nil {
			return err
		}
		o.Dir = dir
	}
	if len(args) == 0 && !o.Stay && (o.Fresh || !trawl.HoldsCrawl(o.Dir)) {
		return usage("no seeds: give URLs, files of URLs, or - for standard input")
	}
	o.Seeds = lists.Read(args, p.stdin)
	o.BadSeed = p.tellBadSeeds()
	return nil
}

// signalPause is how long after an interrupt another one is taken for the same.
const signalPause = 300 * time.Millisecond

// endings are the signals that end a command: a terminal that is closed interrupts it, unless it was started so that it outlives
// the terminal (nohup), or that signal has another meaning.
func endings(keys *keyFlags) []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) && (keys == nil || !keys.rereads()) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// signals ends the context at the first interrupt, and the process at the second: both lose nothing. keys may be nil.
func (p *program) signals(parent context.Context, dir string, keys *keyFlags) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	c := make(chan os.Signal, 2)
	signal.Notify(c, endings(keys)...)
	ended := make(chan struct{})
	go func() {
		select {
		case <-c:
			fmt.Fprintln(p.stderr, "trawl: stopping; what is under way is finished first")
			cancel()
		case <-ended:
			return
		}
		again := time.NewTimer(signalPause)
		for waiting := true; waiting; {
			select {
			case <-c: // the same one, sent to the process and to its group
			case <-again.C:
				waiting = false
			case <-ended:
				return
			}
		}
		fmt.Fprintln(p.stderr, "trawl: interrupt again to stop now")
		select {
		case <-c:
			if dir != "" {
				fmt.Fprintf(p.stderr, "trawl: stopped at once; nothing is lost, go on with the same command (directory %s)\n", dir)
			}
			os.Exit(exitInterrupted)
		case <-ended:
		}
	}()
	return ctx, func() { signal.Stop(c); close(ended); cancel() }
}

func isUnknownCommand(err error) bool {
	var u usageError
	return !errors.As(err, &u) && len(err.Error()) > 15 && err.Error()[:15] == "unknown command"
}

// progress shows how the job goes. Everything that the program prints to standard error goes through it from here on.
func (p *program) progress(f *jobFlags) *view.Progress {
	live := f.log.format != "json" && !(slices.Contains(f.node.Exports, "-") && view.IsTerminal(p.stdout))
	show := view.New(p.stderr, f.log.quiet, live)
	p.stderr = show.Writer()
	return show
}
