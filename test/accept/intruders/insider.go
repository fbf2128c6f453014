package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"trawl/cluster"
	"trawl/cluster/queue"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/crawler/weburl"
)

// insider takes a turn with a fetcher's rights, and then says about it what is not its to say.
func (s *suite) insider(ctx context.Context) (string, error) {
	secret, err := trust.ParseSecret(s.mine.secret)
	if err != nil {
		return "", err
	}
	keys, err := trust.NewKeyring(secret)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := queue.Connect(ctx, queue.ConnectOptions{URL: "nats://" + local(s.port+1), Keys: keys, Role: cluster.RoleFetcher, Name: "insider"})
	if err != nil {
		return "", err
	}
	defer c.Close()
	d, err := c.Next(ctx)
	if err != nil {
		return "", err
	}
	before, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	i := &inside{c: c, turn: d.Task, mine: holder(), other: holder()}
	late, err := i.play(ctx, d.Ack)
	if err != nil {
		return "", err
	}
	err = s.until(ctx, 10*time.Second, fmt.Sprintf("%d late parts", late), func(st *status) bool {
		return st.LateParts >= before.LateParts+late && st.Dropped["result_without_lease"] >= before.Dropped["result_without_lease"]+1
	})
	return fmt.Sprintf("5 asks refused, %d parts and a result of a URL that was not lent dropped and counted", late), err
}

func holder() (h crawler.HolderID) {
	rand.Read(h[:])
	return h
}

// inside is one turn.
type inside struct {
	c           *queue.Conn
	turn        crawler.Task
	mine, other crawler.HolderID
	life        crawler.Life
}

// play reports how many of the parts must be dropped.
func (i *inside) play(ctx context.Context, ack func()) (late int64, err error) {
	strange := i.turn
	strange.Turn[0]++
	steps := []func() error{
		func() error { return i.ask(ctx, &strange, i.other, crawler.Refused) }, // a turn that is none
		func() error { return i.ask(ctx, &i.turn, i.mine, crawler.Granted) },
		func() error { ack(); return nil },
		func() error { return i.ask(ctx, &i.turn, i.other, crawler.Refused) }, // held by another
		func() error { return i.ask(ctx, &i.turn, i.mine, crawler.Granted) },  // renewed
		func() error { late++; return i.send(ctx, &i.turn, i.other, 1, false) },
		func() error { late++; return i.send(ctx, &strange, i.mine, 1, false) },
		func() error { late++; return i.send(ctx, &i.turn, i.mine, 2, false) }, // 1 is missing
		func() error { return i.honest(ctx, 1, false) },
		func() error { late++; return i.send(ctx, &i.turn, i.mine, 1, false) }, // settled before
		func() error { late++; return i.send(ctx, &i.turn, i.mine, 1, true) },
		func() error { return i.honest(ctx, 2, true) },
		func() error { return i.ended(ctx) },
		func() error { return i.ask(ctx, &i.turn, i.other, crawler.Refused) },
		func() error { late++; return i.send(ctx, &i.turn, i.mine, 3, false) },
		func() error { late++; return i.send(ctx, &i.turn, i.mine, 2, true) },
		func() error { return i.ask(ctx, &strange, i.mine, crawler.Refused) },
	}
	for n, step := range steps {
		if err := step(); err != nil {
			return 0, fmt.Errorf("step %d: %w", n, err)
		}
	}
	return late, nil
}

func (i *inside) ask(ctx context.Context, t *crawler.Task, h crawler.HolderID, want crawler.Verdict) error {
	a, err := i.c.Ask(ctx, crawler.Ask{Turn: t.Turn, Holder: h, Host: t.Host, Fetcher: "insider"})
	if err != nil {
		return err
	}
	if a.Verdict != want {
		return fmt.Errorf("the answer is %v, not %v", a.Verdict, want)
	}
	i.life = a.Life
	return nil
}

// ended waits until the last part is settled: then an ask is refused.
func (i *inside) ended(ctx context.Context) (err error) {
	for err = errors.New("not asked"); err != nil && ctx.Err() == nil; pause(ctx, 50*time.Millisecond) {
		err = i.ask(ctx, &i.turn, i.mine, crawler.Refused)
	}
	return err
}

// send says that a URL of the turn has failed. None of these may be believed.
func (i *inside) send(ctx context.Context, t *crawler.Task, h crawler.HolderID, number int, end bool) error {
	p := crawler.Part{Turn: t.Turn, Holder: h, Host: t.Host, Life: i.life, Fetcher: "insider", Number: number, End: end}
	if len(t.URLs) > 0 {
		p.Results = []crawler.Result{{URL: t.URLs[0].URL, Outcome: crawler.Failed, Reason: crawler.ReasonDNS, FetchedAt: time.Now(), Detail: forged}}
	}
	return i.c.Send(ctx, &p)
}

// forged is the mark of every lie.
const forged = "forged by an intruder"

// honest is a part that counts, but for a result of a URL that is not lent to this turn.
func (i *inside) honest(ctx context.Context, number int, end bool) error {
	p := crawler.Part{Turn: i.turn.Turn, Holder: i.mine, Host: i.turn.Host, Life: i.life, Fetcher: "insider", Number: number, End: end}
	u, err := weburl.Parse("http://" + string(i.turn.Host) + "/never-seen")
	if err != nil {
		return err
	}
	p.Results = []crawler.Result{{URL: u, Outcome: crawler.Failed, Reason: crawler.ReasonDNS, FetchedAt: time.Now(), Detail: forged}}
	return i.c.Send(ctx, &p)
}

// rights says to the queue what a fetcher may not, in the queue's own language. Package cluster's tests go through all
// of it; here it is the scheduler of a job that runs.
func (s *suite) rights(ctx context.Context) (string, error) {
	inbox := "_INBOX.trawl.fetcher.intruder0123456789"
	pull := "$JS.API.CONSUMER.MSG.NEXT.trawl_tasks.fetchers "
	lines := []string{
		"SUB >  1", "SUB trawl.result  1", "SUB trawl.ask  1", "SUB _INBOX.>  1", "SUB $SYS.>  1", "SUB _INBOX.trawl.fetcher.>  1",
		"PUB trawl.task 0\r\n", "PUB $JS.API.STREAM.DELETE.trawl_results " + inbox + " 0\r\n", "PUB $JS.API.STREAM.PURGE.trawl_results 0\r\n",
		"PUB $JS.API.STREAM.MSG.GET.trawl_results " + inbox + " 0\r\n", "PUB $JS.API.CONSUMER.CREATE.trawl_results " + inbox + " 0\r\n",
		"PUB $JS.API.CONSUMER.DELETE.trawl_tasks.fetchers 0\r\n", "PUB $JS.API.INFO " + inbox + " 0\r\n", "PUB $SYS.REQ.SERVER.PING " + inbox + " 0\r\n",
		"PUB " + pull + "$JS.API.STREAM.DELETE.trawl_results 0\r\n", "PUB " + pull + "trawl.result 0\r\n", "PUB trawl.ask trawl.task 0\r\n",
		"PUB trawl.result $JS.API.STREAM.DELETE.trawl_results 0\r\n", "HPUB trawl.result 12 12\r\nNATS/1.0\r\n\r\n",
	}
	for _, line := range lines {
		if err := s.refusedByQueue(line); err != nil {
			return "", fmt.Errorf("%q: %w", line, err)
		}
	}
	if answer, err := s.queueSays("SUB " + inbox + "  1"); err != nil || !strings.Contains(answer, "PONG") || strings.Contains(answer, "-ERR") {
		return "", fmt.Errorf("what a fetcher may is refused: %q, %w", answer, err)
	}
	st, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	const garbled = 50
	for range garbled { // a part and an ask that nobody can read
		if answer, err := s.queueSays("PUB trawl.result 7\r\ngarbage\r\nPUB trawl.ask " + inbox + " 7\r\ngarbage"); err != nil || strings.Contains(answer, "-ERR") {
			return "", fmt.Errorf("garbage: %q, %w", answer, err)
		}
	}
	return fmt.Sprintf("%d requests refused; %d parts of garbage dropped and counted", len(lines), garbled),
		s.until(ctx, 10*time.Second, "it goes on", func(now *status) bool {
			return now.Fetched > st.Fetched && now.LateParts >= st.LateParts+garbled
		})
}

func (s *suite) refusedByQueue(line string) error {
	answer, err := s.queueSays(line)
	if errors.Is(err, errCut) || err == nil && strings.Contains(answer, "Permissions Violation") {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("the answer is %q", answer)
}

var errCut = errors.New("the connection was cut")

// queueSays logs in as a fetcher, says a line, and gives what comes up to the next PONG.
func (s *suite) queueSays(line string) (string, error) {
	conf, err := s.mine.member()
	if err != nil {
		return "", err
	}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: dialTimeout}, "tcp", local(s.port+1), conf)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(dialTimeout))
	in := bufio.NewReader(c)
	info, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	var greeting struct{ Nonce string }
	_, text, _ := strings.Cut(info, " ")
	if err := json.Unmarshal([]byte(text), &greeting); err != nil {
		return "", err
	}
	key, public := s.mine.userKey("fetcher")
	hello, err := json.Marshal(map[string]any{
		"verbose": false, "nkey": public, "sig": base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(greeting.Nonce))),
		"lang": "go", "version": "1", "protocol": 1, "headers": true, "no_responders": true, "tls_required": true,
	})
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c, "CONNECT %s\r\nPING\r\n", hello); err != nil {
		return "", err
	}
	if first, err := in.ReadString('\n'); err != nil || first != "PONG\r\n" {
		return "", fmt.Errorf("a fetcher's key is refused: %q, %w", first, err)
	}
	if _, err := fmt.Fprintf(c, "%s\r\nPING\r\n", line); err != nil {
		return "", err
	}
	var answer strings.Builder
	for !strings.Contains(answer.String(), "PONG") {
		text, err := in.ReadString('\n')
		answer.WriteString(text)
		if err != nil {
			return answer.String(), errCut
		}
	}
	return answer.String(), nil
}
