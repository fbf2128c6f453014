// Package core decides, without a loop, a clock or a queue: what belongs to the job, which host may be asked when and by whom, what is
// tried again, and when the job is done.
//
// # State and events
//
// A [Core] is a copy of the newest committed state, as far as that is kept in memory. [Core.Step] takes what has come since the step
// before ([Events]: parts of reports, seeds, bodies that got their names, asks, a look at leases) and works out a [Step]: the changes of
// the ledger, and the effects that follow them. Whoever owns the core commits the changes and calls [Core.Committed], which takes the
// step over and gives its [Effects]: answers, tasks, what may be purged, lines of the log. So nobody hears of what is not durable, and
// one commit covers many events.
//
// What is not such an event is an [Order]: those of a start (settings, a recall after a restore, what the life before offered, the user's
// cookies), a change by the user, a repair, a mark that the process runs. An order is carried out alone, in as many steps as it takes.
// Work on the whole ledger (recounts, URLs that failed and wait again) is a sweep: its cursor is stored, and each step carries it some
// hundred records on.
//
// The rules are in files of their own, one a kind of change: admit.go (what is new), offer.go (make turns), grant.go (give the right),
// settle.go (apply a part), lapse.go (take the right back), robots.go (rules), errand.go (rules that are another host's), away.go (hosts
// that do not answer), names.go (files), work.go (sweeps). step.go has the edits that they make.
//
// What needs no step is in rooms beside this one: what is kept of the ledger ([trawl/scheduler/memory]), what is lent out
// ([trawl/scheduler/credit]), names of files ([trawl/scheduler/names]), words of status ([trawl/scheduler/waits]).
//
// # Crash story
//
// A step that was not committed never happened; a core whose step failed is not used any more, and a new one begins from the ledger.
//
// # Memory
//
// What the memory keeps of the ledger, each kind with a bound, and one turn for each slot of the fetchers. Nothing grows
// with the crawl.
//
// # What is not here
//
// I/O, but for reads of the ledger through a small port (ports.go); goroutines, channels, a clock, a source of chance: each step is told
// the time, and the two functions that draw are options.
package core
