package main

import (
	"bytes"
	"compress/lzw"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Bytes of the gossip's own protocol.
const (
	label       = "\xf4\x05trawl"
	msgAlive    = 4
	msgDead     = 5
	msgPushPull = 6
	msgCompress = 9
	msgEncrypt  = 10
	aesVersion  = 1
)

// forgeries are packets and streams of somebody who knows everything but the key.
func forgeries() (packets, streams [][]byte) {
	bomb := lzwBomb(64 << 20)
	wrong := random(32)
	plain := [][]byte{
		{msgAlive}, {msgDead, 0x82, 0xa4, 'N', 'o', 'd', 'e', 0xa5, 'f', 'i', 'r', 's', 't', 0xa4, 'F', 'r', 'o', 'm', 0xa1, 'x'},
		append([]byte{msgPushPull}, random(200)...), bomb,
		append([]byte{msgPushPull, 0x83, 0xa5, 'N', 'o', 'd', 'e', 's', 0xce, 0x7f, 0xff, 0xff, 0xff}, random(100)...),
	}
	for _, p := range plain {
		packets = append(packets, p, []byte(label+string(p)), seal(wrong, p, label[2:]))
		streams = append(streams, p, []byte(label+string(p)), frame(seal(wrong, p, label[2:])[len(label):], 0))
	}
	for n := 1; n < 1400; n += 97 {
		packets = append(packets, random(n), []byte(label+string(random(n))), []byte("\xf4\xff"+string(random(n))))
		streams = append(streams, random(n), []byte(label+string(random(n))))
	}
	packets = append(packets, random(60_000), []byte("\xf4"), []byte("\xf4\x00"))
	for _, size := range []uint32{0, 1, 1 << 20, 20 << 20, 1<<32 - 1} {
		streams = append(streams, frame(random(2000), size))
	}
	streams = slices.DeleteFunc(streams, func(b []byte) bool { return len(b) == 0 })
	return slices.DeleteFunc(packets, func(b []byte) bool { return len(b) > 65_000 }), streams
}

// seal encrypts as the gossip does, with some key.
func seal(key, plain []byte, authenticated string) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are right
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // as above
	}
	nonce := random(gcm.NonceSize())
	out := append([]byte(label), aesVersion)
	out = append(out, nonce...)
	return gcm.Seal(out, nonce, plain, []byte(authenticated))
}

// frame is the head of an encrypted stream that claims to be so long; 0 for as long as it is.
func frame(body []byte, size uint32) []byte {
	if size == 0 {
		size = uint32(len(body))
	}
	out := append([]byte(label), msgEncrypt)
	return append(binary.BigEndian.AppendUint32(out, size), body...)
}

// lzwBomb is a compressed message of so many zeros.
func lzwBomb(n int) []byte {
	var b bytes.Buffer
	w := lzw.NewWriter(&b, lzw.LSB, 8)
	_, _ = w.Write(make([]byte, n)) // a buffer takes everything
	_ = w.Close()
	out := []byte{msgCompress, 0x82, 0xa4, 'A', 'l', 'g', 'o', 0x00, 0xa3, 'B', 'u', 'f', 0xc6}
	return append(binary.BigEndian.AppendUint32(out, uint32(b.Len())), b.Bytes()...)
}

func (s *suite) forgedGossip(ctx context.Context) (string, error) {
	before, err := s.weigh()
	if err != nil {
		return "", err
	}
	packets, streams := forgeries()
	targets := []string{local(s.port), s.toFetcher.to}
	for range 3 {
		for _, to := range targets {
			for _, p := range packets {
				if err := say("udp", "", to, p); err != nil && !errors.Is(err, syscall.EMSGSIZE) {
					return "", err
				}
			}
			for _, b := range streams {
				if err := say("tcp", "", to, b); err != nil {
					return "", err
				}
			}
		}
	}
	most, err := s.hoard(ctx)
	if err != nil {
		return "", err
	}
	if grown := most.rss["scheduler"] - before.rss["scheduler"]; grown > 400 {
		return "", fmt.Errorf("memory grew by %d MB: %s, then %s", grown, before, most)
	}
	figures := fmt.Sprintf("%d packets and %d streams, then 300 streams that claim 20 MB and bring 1 MB each: at most %d MB of memory, %d before",
		6*len(packets), 6*len(streams), most.rss["scheduler"], before.rss["scheduler"])
	return figures, s.sameFetchers(ctx, "first", "leaver", "second")
}

// hoard makes the scheduler keep as much as it lets itself be made to, and weighs it.
func (s *suite) hoard(ctx context.Context) (*weight, error) {
	body := frame(random(1<<20-100), 19<<20)
	for range 300 {
		c, err := dialFrom("tcp", "", local(s.port))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		go func() { _, _ = c.Write(body) }() // until it is cut
	}
	pause(ctx, 2*time.Second)
	return s.weigh()
}

// say sends something and does not wait for an answer.
func say(network, from, to string, b []byte) error {
	c, err := dialFrom(network, from, to)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write(b); err != nil && network == "udp" && !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return nil
}

// replay sends everything again that was recorded before a member, and reads what it answers.
func replay(r *relay, from string) (nPackets, nStreams int, err error) {
	packets, streams := r.kept()
	for range 2 {
		for _, p := range packets {
			if err := say("udp", from, r.to, p); err != nil {
				return 0, 0, err
			}
		}
	}
	for _, b := range streams {
		c, err := dialFrom("tcp", from, r.to)
		if err != nil {
			return 0, 0, err
		}
		_, _ = c.Write(b) // it may hang up
		closeWrite(c)
		answer := heard(c, 2*time.Second)
		c.Close()
		for _, word := range []string{"first", "second", "leaver", "scheduler", "fetcher", "127.0.0.1"} {
			if bytes.Contains(answer, []byte(word)) {
				return 0, 0, fmt.Errorf("the answer to a recording tells %q: %.200q", word, answer)
			}
		}
	}
	return 2 * len(packets), len(streams), nil
}

// replayGossip does that before both members.
func (s *suite) replayGossip(ctx context.Context, from string) (string, error) {
	var nPackets, nStreams int
	for _, r := range []*relay{s.toScheduler, s.toFetcher} {
		p, st, err := replay(r, from)
		if err != nil {
			return "", err
		}
		nPackets, nStreams = nPackets+p, nStreams+st
	}
	if nPackets < 20 || nStreams < 2 {
		return "", fmt.Errorf("only %d packets and %d streams were recorded", nPackets, nStreams)
	}
	want := []string{"first", "second"}
	if !s.gone.over() {
		want = []string{"first", "leaver", "second"}
	}
	figures := fmt.Sprintf("%d packets and %d streams sent again, the members are the same", nPackets, nStreams)
	pause(ctx, time.Second)
	return figures, s.until(ctx, 30*time.Second, "the members "+strings.Join(want, ", "), func(st *status) bool { return slices.Equal(st.names(), want) })
}

func (s *suite) sameFetchers(ctx context.Context, want ...string) error {
	st, err := s.status(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(st.names(), want) {
		return fmt.Errorf("the fetchers are %q", st.names())
	}
	return nil
}

// ghost sends what a member said that has left meanwhile. It may be listed again until it does not answer; no turn
// comes of that.
func (s *suite) ghost(ctx context.Context) (string, error) {
	if _, err := s.gone.wait(10 * time.Second); err != nil {
		return "", err
	}
	if err := s.until(ctx, 20*time.Second, "the leaver is gone", func(st *status) bool { return !slices.Contains(st.names(), "leaver") }); err != nil {
		return "", err
	}
	before, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	_, streams := s.toScheduler.kept() // not the packets: its farewell is among them
	if _, _, err := replay(&relay{to: s.toScheduler.to, streams: streams}, ""); err != nil {
		return "", err
	}
	begin, seen := time.Now(), false
	err = s.until(ctx, 40*time.Second, "the ghost is gone", func(st *status) bool {
		there := slices.Contains(st.names(), "leaver")
		seen = seen || there
		return !there && (seen || time.Since(begin) > 2*time.Second)
	})
	if err != nil {
		return "", err
	}
	after, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	if after.LateParts != before.LateParts {
		return "", fmt.Errorf("%d late parts, %d before", after.LateParts, before.LateParts)
	}
	if !seen {
		return "it was not listed again", nil
	}
	return fmt.Sprintf("it was listed again for %.1f s, and did nothing", time.Since(begin).Seconds()), nil
}
