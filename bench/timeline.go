package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// interval is the time between two samples.
	interval = 250 * time.Millisecond
	// tick is the unit of processor time in /proc (USER_HZ, which is 100 on all machines of today).
	tick = 10 * time.Millisecond
	// The idle share is taken between these shares of the pages, so that neither start nor end count.
	steadyFrom, steadyTo = 0.10, 0.95
)

// sample is where a round stood at a time.
type sample struct {
	at      time.Duration // since the start of the tool
	pages   int64         // that the web has sent
	machine time.Duration // processor time of all processors, idle or not
	idle    time.Duration // of it without work, or waiting for the disk
	process time.Duration // processor time of the tool
}

// timeline is a round, sample by sample.
type timeline []sample

// watch samples until the context ends. The last sample is taken after that.
func watch(ctx context.Context, r *round, start time.Time) timeline {
	var line timeline
	take := func() {
		ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		s := sample{process: r.cpu()}
		s.machine, s.idle = machineCPU()
		total, err := r.web.sent(ask)
		if err != nil {
			return // the round itself meets a web that is gone
		}
		s.at, s.pages = time.Since(start), total
		line = append(line, s)
	}
	take()
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			take()
		case <-ctx.Done():
			take()
			return line
		}
	}
}

// at is the state when a share of all pages had been sent, between two samples in proportion.
func (l timeline) when(share float64) (at, machine, idle float64) {
	want := share * float64(l[len(l)-1].pages)
	i := max(1, slices.IndexFunc(l, func(s sample) bool { return float64(s.pages) >= want }))
	a, b := l[i-1], l[i]
	part := 0.0
	if b.pages > a.pages {
		part = max(0, (want-float64(a.pages))/float64(b.pages-a.pages))
	}
	between := func(a, b time.Duration) float64 { return a.Seconds() + part*(b-a).Seconds() }
	return between(a.at, b.at), between(a.machine, b.machine), between(a.idle, b.idle)
}

// idle is the share of the machine's time without work between steadyFrom and steadyTo of the pages; ok is
// false where the system does not tell or the round was too short.
func (l timeline) idle() (share float64, ok bool) {
	if len(l) < 2 {
		return 0, false
	}
	_, machine1, idle1 := l.when(steadyFrom)
	_, machine2, idle2 := l.when(steadyTo)
	if machine2-machine1 < (2 * tick).Seconds() {
		return 0, false
	}
	return (idle2 - idle1) / (machine2 - machine1), true
}

// machineCPU reads the processor time of the machine since its start.
func machineCPU() (all, idle time.Duration) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	const idleField, waitField, stealField = 4, 5, 8 // guests are counted as users already
	for i := 1; i < len(fields) && i <= stealField; i++ {
		n, _ := strconv.Atoi(fields[i])
		all += time.Duration(n) * tick
		if i == idleField || i == waitField {
			idle += time.Duration(n) * tick
		}
	}
	return all, idle
}

// processCPU reads the processor time of a process and of its children that have ended; 0 when it is gone.
func processCPU(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // the name may hold spaces
	fields := bytes.Fields(rest)
	var sum time.Duration
	for i := 11; i < 15 && i < len(fields); i++ { // utime, stime, cutime, cstime
		n, _ := strconv.Atoi(string(fields[i]))
		sum += time.Duration(n) * tick
	}
	return sum
}
