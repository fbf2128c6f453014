package core

import (
	"maps"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Lost is what has no record any more: rows, and robots files of hosts, by scheme.
type Lost struct {
	Rows   []weburl.URLKey
	Robots map[weburl.Host][]string
	Files  []crawler.ShippedFile // that nobody is to ship: of what they lack, no row but these needs anything
}

// repairBatch is how many records are mended in one step.
const repairBatch = 500

// AtRest is the core of a ledger that nobody schedules, with the job as it stands there.
func AtRest(read Reader, l *crawler.LedgerState, now time.Time) *Core {
	o := Options{Read: read, WindowHosts: 1, RecentLinks: 1, Draw: func([]byte) {}}
	return &Core{o: o, state: newState(&o, l, now)}
}

// Repair lets the rows wait again whose records are lost, takes their hosts up again, and at last the job. Robots files only forget their
// record. The files come after the rows that point into them, so that one whose repair was cut off is still missed. again counts
// the rows that wait again and were done.
func Repair(lost Lost, again *int64) Order {
	rows, hosts, files := weburl.Sorted(lost.Rows), slices.Sorted(maps.Keys(lost.Robots)), lost.Files
	return func(st *Step) (done bool) {
		switch {
		case len(rows) > 0:
			n := min(len(rows), repairBatch)
			*again += st.repairRows(rows[:n])
			rows = rows[n:]
		case len(hosts) > 0:
			n := min(len(hosts), repairBatch)
			for _, h := range hosts[:n] {
				st.repairRobots(h, lost.Robots[h])
			}
			hosts = hosts[n:]
		case len(files) > 0:
			n := min(len(files), repairBatch)
			for _, f := range files[:n] {
				st.changes.Names.Shipped = append(st.changes.Names.Shipped, crawler.ShippedFile{Name: f.Name})
			}
			files = files[n:]
		default:
			if job := &st.s.job; !job.Finished.IsZero() && !job.Job.Ended(&st.tallies) {
				st.jobState().Finished = time.Time{}
			}
			return true
		}
		return false
	}
}

func (st *Step) repairRows(keys []weburl.URLKey) (again int64) {
	rows := st.load(keys)
	for _, k := range keys {
		row := rows[k]
		switch {
		case row == nil:
		case row.Outcome == crawler.Waiting: // its newest fetch failed; it waits on, or is leased
			fresh := *row
			fresh.Archive = crawler.Locator{}
			st.put(row, &fresh, false)
		default:
			again++
			fresh := *row
			fresh.Result = crawler.Result{URL: row.URL, Outcome: crawler.Waiting} // what was found is not there any more
			fresh.RetryAt, fresh.Attempts, fresh.Tries, fresh.Spared, fresh.Lapses, fresh.Fetcher = time.Time{}, 0, 0, 0, 0, ""
			st.put(row, &fresh, false)
			st.takeUpHost(row.URL.Host())
		}
	}
	return again
}

func (st *Step) repairRobots(h weburl.Host, schemes []string) {
	for _, f := range st.robotsOf(h) {
		if slices.Contains(schemes, f.Scheme) {
			f.Archive = crawler.Locator{}
			st.changes.Robots = append(st.changes.Robots, crawler.RobotsChange{Host: h, File: f})
		}
	}
}

func (st *Step) takeUp(row *crawler.Row) {
	fresh := *row
	fresh.Outcome, fresh.Reason, fresh.Detail, fresh.RetryAt = crawler.Waiting, "", "", time.Time{}
	fresh.Attempts, fresh.Tries, fresh.Spared, fresh.Lapses = 0, 0, 0, 0
	st.put(row, &fresh, false)
	st.takeUpHost(row.URL.Host())
}

func (st *Step) takeUpHost(name weburl.Host) {
	h := st.host(name)
	h.Back()
	h.GivenUp, h.GivenUpDetail, h.RobotsTries, h.RobotsDetail = "", "", 0, ""
}
