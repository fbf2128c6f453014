package trawl

import (
	"context"
	"errors"
	"fmt"
	"net"

	"trawl/cluster/control"
	"trawl/cluster/trust"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
	"trawl/storage"
	"trawl/storage/ledger"
)

// Explanation is the whole story of one URL.
type Explanation = explain.Explanation

// Explain tells the whole story of one URL of a crawl: what became of it and by which rule, what comes next, and
// what can be changed. target is a crawl directory on this machine, in use or not, or HOST:PORT of the
// control address of the node that runs the job.
func Explain(ctx context.Context, target string, keys *trust.Keyring, u weburl.URL) (Explanation, error) {
	if _, _, err := net.SplitHostPort(target); err != nil && !isDir(target) {
		return Explanation{}, usageError(fmt.Errorf("%s is neither a crawl directory nor HOST:PORT", target))
	}
	client, err := running(target, keys)
	if err != nil {
		return Explanation{}, err
	}
	defer client.Close()
	e, err := client.Explain(ctx, u)
	if !isDir(target) || !errors.Is(err, control.ErrNotRunning) {
		return e, err
	}
	l, done, err := openAtRest(target)
	if errors.Is(err, storage.ErrNotCrawl) {
		err = usageError(err)
	}
	if err != nil {
		return Explanation{}, err
	}
	defer done()
	return explainAtRest(l, u)
}

func explainAtRest(l *ledger.Ledger, u weburl.URL) (Explanation, error) {
	f, err := l.Facts(u)
	if err != nil {
		return Explanation{}, err
	}
	f.State = "stopped"
	if !f.Job.Finished.IsZero() {
		f.State = "done"
	}
	return explain.Explain(&f), nil
}

// explain answers for the running job, from its own ledger.
func (r *run) explain(_ context.Context, u weburl.URL) (Explanation, error) {
	f, err := r.ledger.Facts(u)
	if err != nil {
		return Explanation{}, err
	}
	s := r.sched.Status()
	f.State, f.WaitsFor = s.State, s.WaitsFor
	return explain.Explain(&f), nil
}

// ParseURLs reads URLs that a user asks about, and reports every one that is none.
func ParseURLs(args []string) ([]weburl.URL, error) {
	var problems []error
	var urls []weburl.URL
	for _, a := range args {
		u, err := weburl.Parse(a)
		switch {
		case errors.Is(err, weburl.ErrNotHTTP), errors.Is(err, weburl.ErrTooLong):
			problems = append(problems, fmt.Errorf("%q: %w: such a URL is never admitted", short(a), err))
		case err != nil && !isURL(a):
			problems = append(problems, fmt.Errorf("%q is no URL: write https://%s", short(a), short(a)))
		case err != nil:
			problems = append(problems, fmt.Errorf("%q: %w", short(a), err))
		default:
			urls = append(urls, u)
		}
	}
	if len(problems) > 0 {
		return nil, usageError(errors.Join(problems...))
	}
	return urls, nil
}
