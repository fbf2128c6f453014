package core

import (
	"errors"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestTheRuleOfNamesIsThatOfTheFirstStart(t *testing.T) {
	inBubble(t, "wherever the directory is now", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{Form: true})
		d.rule = crawler.NameRule{Case: true}
		if d.start(t, d.led); d.s.core.state.names.Rule() != (crawler.NameRule{Form: true}) || *d.led.State.State.Names != d.s.core.state.names.Rule() {
			t.Errorf("rule %+v", d.s.core.state.names.Rule())
		}
	})
	inBubble(t, "that looked at it", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		d.led.State.State.Names = nil
		d.rule = crawler.NameRule{Case: true}
		if d.start(t, d.led); d.s.core.state.names.Rule() != d.rule || *d.led.State.State.Names != d.rule {
			t.Errorf("rule %+v", d.s.core.state.names.Rule())
		}
	})
}

func TestAFileSystemThatTellsFewerNamesApartIsSaid(t *testing.T) {
	rule := func(text string) crawler.NameRule {
		return crawler.NameRule{Case: strings.Contains(text, "case"), Form: strings.Contains(text, "form")}
	}
	for _, before := range []string{"", "case", "form", "case form"} {
		for _, now := range []string{"", "case", "form", "case form"} {
			was := rule(before)
			s := &state{committed: committed{job: crawler.JobState{Job: crawler.NewJob(crawler.Download), Names: &was}}}
			s.nameRule(&Options{Names: schedulertest.NewNames(), NameRule: rule(now)})
			want := false
			for word := range strings.FieldsSeq(now) {
				want = want || !strings.Contains(before, word)
			}
			if said := len(s.notes) > 0; said != want {
				t.Errorf("from %q to %q: said %v", before, now, said)
			}
		}
	}
}

func TestALineWhoseNameCannotBeReadChangesNothing(t *testing.T) {
	inBubble(t, "of the row", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		d.lines("http://a.test/f n")
		row := d.row("http://a.test/f")
		for _, c := range []candidate{{url: row.URL, line: true, name: "m"}, {url: row.URL, line: true, name: "m", want: schedulertest.DigestOf("x")}} {
			st := d.s.newStep()
			d.names.Broken = errors.New("damaged")
			if st.furtherName(row.Key(), row, &c); st.err == nil || len(st.rows) != 0 {
				t.Errorf("%v, %d rows", st.err, len(st.rows))
			}
		}
	})
}
