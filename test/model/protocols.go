package main

import "strings"

// protocol says how long things last, which faults may happen, and which rules are taken away. Times are in ticks.
type protocol struct {
	name                string
	lease, grace, delay uint8
	wire                uint8 // that a written request may need to reach the server

	kills, stops, starts, losses uint8 // how often a fetcher dies or is stopped, the scheduler starts, a message is lost
	hangUps                      uint8 // how often the server closes an idle connection as a request comes
	jumps                        bool  // the scheduler's wall clock is set forward
	restored                     bool  // a start is a restore from an old backup

	tops bool // renewals may add URLs to a turn, and their answers be lost

	warm  bool   // robots rules are known from the start: a smaller space
	alike bool   // the two fetchers are interchangeable: a smaller space, in which traces may swap their names
	only  breach // look for this one alone; none = for all

	without rules
}

// rules that are taken away. The zero value takes none.
type rules struct {
	askingCounts     bool // the lease counts from the answer instead
	waitAtStart      bool // a start takes held turns as lapsed
	takeIsHolder     bool // the holder is the process, and messages are acked after the report
	currentState     bool // the host state of late reports is taken
	order            bool // parts are settled in any order
	noGap            bool // a part is settled though the one before is missing
	settleFirst      bool // a lapse does not wait for queued parts
	writeIsLook      bool // the look at the clock and the write are two steps
	lenient          bool // an exchange of a stopped fetcher does not end with its lease
	freshNumbers     bool // a restored ledger uses numbers of turns again
	waitAtRestore    bool // a restored ledger asks at once
	noRightBetween   bool // a connection keeps the right of its last turn
	orderedLeaveOnly bool // a turn that did not end in order keeps its connection, with what is under way on it
	grantBeforeWrite bool // a taker that has a connection asks the host before it has its grant
	leaseBeforeTell  bool // a renewal's URLs are not leased to the turn before its answer leaves
	endGivesBack     bool // only what was offered waits again at the end of a turn
}

// breaks reports whether the protocol is one with a rule taken away, or with a fault that no rule covers.
func (p *protocol) breaks() bool { return strings.HasPrefix(p.name, "A") }

// protocols are the protocol under faults (R), and what breaks it (A).
func protocols() []protocol {
	base := protocol{lease: 2, grace: 1, delay: 1}
	with := func(name string, set func(*protocol)) protocol {
		p := base
		p.name = name
		set(&p)
		return p
	}
	held := func(name string, set func(*protocol)) protocol {
		return with(name, func(p *protocol) { p.alike = true; set(p) })
	}
	return []protocol{
		held("R0 robots known, no fault", func(p *protocol) { p.warm = true }),
		held("R1 robots known, a fetcher dies", func(p *protocol) { p.warm, p.kills = true, 1 }),
		held("R2 robots known, the server closes an idle connection", func(p *protocol) { p.warm, p.hangUps = true, 1 }),
		held("R3 no fault", func(*protocol) {}),
		held("R4 a fetcher dies", func(p *protocol) { p.kills = 1 }),
		held("R5 robots known, a fetcher is stopped", func(p *protocol) { p.warm, p.stops = true, 1 }),
		held("R6 robots known, the scheduler starts again", func(p *protocol) { p.warm, p.starts = true, 1 }),
		held("R7 robots known, the queue is emptied or a report lost", func(p *protocol) { p.warm, p.losses = true, 1 }),
		held("R8 robots known, a fetcher dies, one is stopped, the scheduler starts again", func(p *protocol) { p.warm, p.kills, p.stops, p.starts = true, 1, 1, 1 }),
		held("R9 robots known, requests are on the wire for a tick, a fetcher is stopped", func(p *protocol) { p.warm, p.wire, p.stops = true, 1, 1 }),
		held("R10 robots known, the scheduler is restored from an old backup", func(p *protocol) { p.warm, p.starts, p.restored = true, 1, true }),
		held("R11 robots known, turns are topped up", func(p *protocol) { p.warm, p.tops = true, true }),
		held("R12 robots known, turns are topped up, an answer or a report is lost", func(p *protocol) { p.warm, p.tops, p.losses = true, true, 1 }),
		held("R13 robots known, turns are topped up, the scheduler starts again", func(p *protocol) { p.warm, p.tops, p.starts = true, true, 1 }),
		held("R14 robots known, turns are topped up, a fetcher dies", func(p *protocol) { p.warm, p.tops, p.kills = true, true, 1 }),

		with("A1 the lease counts from the answer", func(p *protocol) { p.without.askingCounts, p.grace = true, 0 }),
		with("A2 a start takes held turns as lapsed", func(p *protocol) { p.starts, p.without.waitAtStart = 1, true }),
		with("A3 the holder is the process, and messages are acked after the report", func(p *protocol) { p.without.takeIsHolder = true }),
		with("A4 robots known, the host state of late reports is taken", func(p *protocol) { p.warm, p.stops, p.without.currentState = true, 1, true }),
		with("A5 parts are settled in any order", func(p *protocol) { p.without.order, p.without.noGap = true, true }),
		with("A6 a part is settled though the one before is missing", func(p *protocol) { p.losses, p.without.noGap = 1, true }),
		with("A7 a lapse does not wait for queued parts", func(p *protocol) { p.without.settleFirst, p.only = true, workLost }),
		with("A8 the scheduler's clock is set forward", func(p *protocol) { p.jumps = true }),
		with("A9 the look at the clock and the write are two steps, between which a fetcher is stopped", func(p *protocol) { p.without.writeIsLook, p.stops = true, 1 }),
		with("A10 an answer that is open towards a stopped process counts", func(p *protocol) { p.without.lenient, p.stops = true, 1 }),
		with("A11 robots known, a restored ledger uses numbers of turns again", func(p *protocol) { p.warm, p.starts, p.restored, p.without.freshNumbers = true, 1, true, true }),
		with("A12 no grace, and requests are on the wire for a tick", func(p *protocol) { p.grace, p.wire = 0, 1 }),
		with("A13 a restored ledger asks at once", func(p *protocol) { p.starts, p.restored, p.without.waitAtRestore = 1, true, true }),
		with("A14 a connection keeps the right of its last turn", func(p *protocol) { p.without.noRightBetween = true }),
		with("A15 a turn that did not end in order keeps its connection", func(p *protocol) { p.without.orderedLeaveOnly = true }),
		with("A16 a taker that has a connection asks before it has its grant", func(p *protocol) { p.without.grantBeforeWrite = true }),
		with("A17 robots known, a turn is topped up with URLs that it does not lease", func(p *protocol) { p.warm, p.tops, p.without.leaseBeforeTell = true, true, true }),
		with("A18 robots known, what a lost answer leased does not wait again at the end", func(p *protocol) {
			p.warm, p.tops, p.losses, p.only, p.without.endGivesBack = true, true, 1, rowLost, true
		}),
	}
}
