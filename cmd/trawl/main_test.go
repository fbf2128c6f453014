package main

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"trawl": main})
}

// TestCommands runs the scripts of testdata/script: the program as a process of its own, against a web
// site in this one. site_test.go and process_test.go have the commands that scripts know beside the usual
// ones.
func TestCommands(t *testing.T) {
	// A signal that is ignored here would be ignored by the commands too, as nohup means it; one that is listened to is not.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Values[sitesKey{}] = &sites{}
			p := &processes{running: make(map[string]*process)}
			e.Values[processesKey{}] = p
			e.Defer(p.killAll)
			e.Setenv("GORACE", goRace)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"site":      cmdSite,
			"asked":     cmdAsked,
			"requests":  cmdRequests,
			"rows":      cmdRows,
			"lines":     cmdLines,
			"pack":      cmdPack,
			"ports":     cmdPorts,
			"exits":     cmdExits,
			"until":     cmdUntil,
			"start":     cmdStart,
			"await":     cmdAwait,
			"interrupt": cmdInterrupt,
			"ends":      cmdEnds,
			"signal":    cmdSignal,
		},
	})
}

// goRace keeps the race detector from waiting for a second at the end of each of the many processes.
const goRace = "atexit_sleep_ms=0"

func mustAbsent(ts *testscript.TestScript, neg bool) {
	if neg {
		ts.Fatalf("this command cannot be negated")
	}
}

// environ is the environment of a script's processes.
func environ(ts *testscript.TestScript) []string {
	return append(os.Environ(), "TRAWL_SECRET="+ts.Getenv("TRAWL_SECRET"), "HOME="+ts.Getenv("HOME"), "TMPDIR="+ts.Getenv("TMPDIR"), "GORACE="+goRace)
}
