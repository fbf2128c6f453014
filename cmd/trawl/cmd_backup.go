package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/net/http/httpproxy"

	"trawl"
	"trawl/cmd/trawl/view"
	"trawl/crawler"
	"trawl/storage/crawldir"
)

func (p *program) backupCommand() *cobra.Command {
	var keys keyFlags
	var file string
	c := &cobra.Command{
		Use:   "backup TARGET -o FILE",
		Short: "Copy a crawl's ledger, also while its job runs",
		Long: "Write a consistent copy of a crawl's ledger to a file, or to standard output with -o -. TARGET is a crawl directory on this\n" +
			"machine, whose job may run meanwhile, or HOST:PORT of a running scheduler's control address. trawl restore goes on from it.\n\n" +
			"Bodies are not in it: archive/ and files/ are plain files that only grow; copy them as well. The file holds what the job\n" +
			"knows, credentials and cookies too, and is readable by you alone.",
		Example: "  trawl backup example.com.trawl -o example.trawl-backup",
		Args:    exactArgs(1, "a crawl directory or HOST:PORT"),
	}
	c.Flags().StringVarP(&file, "output", "o", "", "file to write, or - for standard output")
	keys.add(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		if file == "" {
			return usage("%s needs -o FILE, or -o - for standard output", c.CommandPath())
		}
		ring, err := keys.ask(p)
		if err != nil {
			return err
		}
		ctx, stop := p.signals(c.Context(), "", nil)
		defer stop()
		t, err := trawl.Open(ctx, args[0], ring)
		if err != nil {
			return err
		}
		defer t.Close()
		if file == "-" {
			err = t.Backup(ctx, p.stdout)
			return p.unlessInterrupted(ctx, err, "the backup was interrupted; what was written is of no use")
		}
		info, err := trawl.Backup(ctx, t, file)
		if err != nil {
			return p.unlessInterrupted(ctx, err, "the backup was interrupted; nothing was written")
		}
		if info.Taken.IsZero() {
			return nil
		}
		fmt.Fprintf(p.stdout, "%s: %s rows of %s hosts, as of %s", file, view.Count(info.Rows), view.Count(info.Hosts), info.Taken.Local().Format(time.DateTime))
		if dir := bodiesDir(info.Archive); dir != "" {
			fmt.Fprintf(p.stdout, "; bodies are not in it: copy %s as well", dir)
		}
		fmt.Fprintln(p.stdout)
		return nil
	}
	return c
}

// unlessInterrupted passes an error on, or says that the user ended the command.
func (p *program) unlessInterrupted(ctx context.Context, err error, told string) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	fmt.Fprintf(p.stderr, "trawl: %s\n", told)
	p.status = exitInterrupted
	return nil
}

// bodiesDir is where a crawl's bodies are, "" when it keeps none.
func bodiesDir(kind crawler.ArchiveKind) string {
	switch kind {
	case crawler.ArchiveWARC:
		return crawldir.ArchiveDir + "/"
	case crawler.ArchiveFiles:
		return crawldir.FilesDir + "/"
	}
	return ""
}

func (p *program) restoreCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "restore FILE|URL --dir DIR",
		Short: "Make a crawl directory from a backup, to go on from it",
		Long: "Make a crawl directory from a backup (a file, or an http(s) URL). DIR must be empty or not be there; bodies (archive/, files/)\n" +
			"may have been copied before. Run the job there to go on: what came after the backup is fetched again, and no host is asked\n" +
			"before whoever asked it last has lost the right to. The crawl there is a new life of the old one: a scheduler of the old one\n" +
			"that comes back in the same cluster stops with status 5.",
		Example: "  trawl restore example.trawl-backup --dir example.com.trawl",
		Args:    exactArgs(1, "a backup: a file or a URL"),
	}
	c.Flags().StringVar(&dir, "dir", "", "crawl directory to make")
	c.RunE = func(c *cobra.Command, args []string) error {
		if dir == "" {
			return usage("%s needs --dir DIR, the crawl directory to make", c.CommandPath())
		}
		ctx, stop := p.signals(c.Context(), "", nil)
		defer stop()
		info, err := trawl.Restore(ctx, args[0], dir, httpproxy.FromEnvironment().ProxyFunc())
		if err != nil {
			return p.unlessInterrupted(ctx, err, "the restore was interrupted; nothing was made")
		}
		p.printRestored(&info, dir)
		return nil
	}
	return c
}

func (p *program) printRestored(info *trawl.BackupInfo, dir string) {
	fmt.Fprintf(p.stdout, "restored in %s: %s rows of %s hosts, as of %s\n", dir, view.Count(info.Rows), view.Count(info.Hosts), info.Taken.Local().Format(time.DateTime))
	if bodies := bodiesDir(info.Archive); bodies != "" {
		fmt.Fprintf(p.stdout, "bodies are not in a backup: copy %s to %s; trawl check %s --repair lets rows be fetched again whose bodies are lost\n", bodies, dir, dir)
	}
	fmt.Fprintf(p.stdout, "go on with: trawl %s --config %s --dir %s (or trawl scheduler … for a cluster)\n", info.Kind, filepath.Join(dir, "job.yaml"), dir)
}

// addBackups are the flags of commands that run a job.
func addBackups(fs *pflag.FlagSet, b *trawl.Backups) {
	fs.DurationVar(&b.Every, "backup-every", 0, "make a backup of the ledger each time this has passed, 0 for none; with --backup-to")
	fs.StringVar(&b.To, "backup-to", "", fmt.Sprintf("where to: a directory, where the newest %d stay, or an https:// URL below which each is stored by PUT", trawl.KeepBackups))
}
