package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

// saveLoop saves each body as durably as trawl does: written under another name, synced, renamed.
func saveLoop(ctx context.Context, s loopSettings, n int) error {
	c := newClient(n, true)
	var number atomic.Int64
	return loop(ctx, s, n, func() func(string) error {
		return func(u string) error {
			name := filepath.Join(s.to, strconv.FormatInt(number.Add(1), 10))
			f, err := os.Create(name + ".part")
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := get(ctx, c, u, f); err != nil {
				return err
			}
			if err := f.Sync(); err != nil {
				return err
			}
			return os.Rename(name+".part", name)
		}
	})
}

// appendLoop appends each body to one file, which is synced at the end.
func appendLoop(ctx context.Context, s loopSettings, n int) error {
	f, err := os.Create(filepath.Join(s.to, "bodies"))
	if err != nil {
		return err
	}
	defer f.Close()
	c := newClient(n, true)
	var mu sync.Mutex
	err = loop(ctx, s, n, func() func(string) error {
		var body bytes.Buffer
		return func(u string) error {
			body.Reset()
			if _, err := get(ctx, c, u, &body); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			_, err := io.Copy(f, &body)
			return err
		}
	})
	if err != nil {
		return err
	}
	return f.Sync()
}
