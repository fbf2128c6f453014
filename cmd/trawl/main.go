// Command trawl is the program: commands, flags, signals and what people read. It has no rules of
// crawling; those are in the packages that it wires through package trawl.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"trawl"
)

// What Go's collector aims at, where the environment (GOGC, GOMEMLIMIT) does not say otherwise: less garbage beside
// what lives than its usual 100 percent, and more work for it as the memory of a crawl with the default number of
// workers comes near what is promised. It costs a few percent of CPU.
const (
	gcPercent   = 50
	memoryLimit = 230 << 20 // bytes; soft
	ledgerShare = 150 << 20 // bytes more where the ledger's caches are Go's memory too: without cgo
)

func boundMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		limit := int64(memoryLimit)
		if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "0"}) {
			limit += ledgerShare
		}
		debug.SetMemoryLimit(limit)
	}
}

// aimAt is boundMemory for a node that was told its memory; 0 = it was not.
func aimAt(memory int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cmp.Or(memory, trawl.DefaultMemory()))
	}
}

func main() {
	log.SetOutput(io.Discard) // the HTTP library writes there what servers do wrong; rows tell it
	boundMemory()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit statuses: a contract with users.
const (
	exitDone        = 0 // the job is done; failed URLs are results
	exitFailed      = 1 // trawl failed
	exitUsage       = 2 // wrong usage or configuration, said before anything starts
	exitLimit       = 3 // stopped by a limit the user set
	exitInterrupted = 4 // can be continued
	exitRefused     = 5 // by the cluster: wrong secret, other job, other version
	exitNothing     = 6 // done, and not one URL could be fetched
)

// program is what commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	status         int
	names          map[string]string // of settings, as the command line calls them; see learn
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	root := &cobra.Command{
		Use:           "trawl",
		Short:         "A distributed web crawler and downloader",
		Long:          "trawl crawls and downloads the web politely, on one machine or many, and accounts for every URL.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage("%v; see %s --help", err, c.CommandPath()) })
	root.AddCommand(
		p.crawlCommand(), p.downloadCommand(), p.schedulerCommand(), p.fetcherCommand(),
		p.statusCommand(), p.explainCommand(), p.checkCommand(), p.exportCommand(), p.inspectCommand(), p.demoCommand(), p.secretCommand(), p.versionCommand(),
	)
	root.AddCommand(p.steerCommands()...)
	root.AddCommand(p.backupCommand(), p.restoreCommand())
	p.learn(root.Commands())
	if err := addCompletion(root.Commands()); err != nil {
		return p.fail(err)
	}
	if err := root.ExecuteContext(context.Background()); err != nil {
		return p.fail(err)
	}
	return p.status
}

// fail prints the error's lines and gives its exit status.
func (p *program) fail(err error) int {
	status := exitFailed
	var u usageError
	switch {
	case errors.As(err, &u), errors.Is(err, trawl.ErrUsage):
		status = exitUsage
	case errors.Is(err, trawl.ErrRefused):
		status = exitRefused
	case isUnknownCommand(err):
		status, err = exitUsage, unknownCommand(err)
	default:
		err = advise(err)
	}
	fmt.Fprintf(p.stderr, "trawl: %s\n", p.spell(err.Error()))
	return status
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }
