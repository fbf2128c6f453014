package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"trawl/internal/durable"
	"trawl/storage/archive/warc"
	"trawl/storage/crawldir"
	"trawl/storage/storagetest"
)

// sickDisk is a file whose writes or syncs fail while told to.
type sickDisk struct {
	*os.File
	mu    sync.Mutex
	room  int64 // bytes that can still be written; -1 = no limit
	sick  bool  // Sync fails
	noCut bool  // Truncate fails
}

func (s *sickDisk) WriteAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room >= 0 && int64(len(p)) > s.room {
		n, _ := s.File.WriteAt(p[:s.room], off)
		return n, syscall.ENOSPC
	}
	return s.File.WriteAt(p, off)
}

func (s *sickDisk) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sick {
		return syscall.EIO
	}
	return s.File.Sync()
}

func (s *sickDisk) Truncate(n int64) error {
	if s.noCut {
		return syscall.EIO
	}
	return s.File.Truncate(n)
}

func onSickDisk(w *WARC, disk *sickDisk) {
	w.create = func(path string) (archiveFile, error) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		disk.File = f
		return disk, err
	}
}

func TestAFullDiskCostsTheExchangeAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	disk := &sickDisk{room: -1}
	onSickDisk(w, disk)
	one := storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
	disk.room = 100
	if _, err := w.Put(t.Context(), storagetest.Exchange("http://a.example/2", "two")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: %v", err)
	}
	if info, err := disk.Stat(); err != nil || info.Size() != w.size {
		t.Errorf("file has %d bytes, whole records end at %d, %v", info.Size(), w.size, err)
	}
	disk.room = -1
	three := storagetest.Put(t, w, storagetest.Exchange("http://a.example/3", "three"))
	if err := w.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, dir, one, storagetest.Digest("one"))
	mustVerify(t, dir, three, storagetest.Digest("three"))
	if cut, err := warc.Recover(filepath.Join(dir, one.File), durable.System); cut != 0 || err != nil {
		t.Errorf("the file is not whole: %d, %v", cut, err)
	}
}

func TestADiskThatIsFullFromTheStartLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	disk := &sickDisk{room: 10}
	onSickDisk(w, disk)
	if _, err := w.Put(t.Context(), storagetest.Exchange("http://a.example/1", "one")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: %v", err)
	}
	if rest, _ := os.ReadDir(filepath.Join(dir, crawldir.ArchiveDir)); len(rest) != 0 {
		t.Errorf("left: %v", rest)
	}
	disk.room = -1
	mustVerify(t, dir, storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one")), storagetest.Digest("one"))
}

func TestAfterAFailedSyncTheArchiveTakesNoMore(t *testing.T) {
	w := openWARC(t, t.TempDir(), WARCOptions{})
	disk := &sickDisk{room: -1, sick: true}
	onSickDisk(w, disk)
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
	if err := w.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v", err)
	}
	disk.sick = false // the disk tells it once; the pages are lost all the same
	if err := w.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Errorf("second sync: %v", err)
	}
	if _, err := w.Put(t.Context(), storagetest.Exchange("http://a.example/2", "two")); !errors.Is(err, syscall.EIO) {
		t.Errorf("put: %v", err)
	}
	if err := w.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
}

func TestAFileThatCannotBeCutBackTakesNoMore(t *testing.T) {
	w := openWARC(t, t.TempDir(), WARCOptions{})
	disk := &sickDisk{room: -1}
	onSickDisk(w, disk)
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
	disk.room, disk.noCut = 10, true
	for range 2 {
		if _, err := w.Put(t.Context(), storagetest.Exchange("http://a.example/2", "two")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("put: %v", err)
		}
		disk.room = -1
	}
}

// slowDisk counts syncs and makes them take a second.
type slowDisk struct {
	*os.File
	syncs int
}

func (s *slowDisk) Sync() error {
	s.syncs++
	<-time.After(time.Second)
	return s.File.Sync()
}

func TestSyncsAtTheSameTimeAreShared(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w, err := NewWARC(dir, WARCOptions{Prefix: "f"})
		if err != nil {
			t.Fatal(err)
		}
		disk := &slowDisk{}
		w.create = func(path string) (archiveFile, error) {
			f, err := os.Create(path)
			disk.File = f
			return disk, err
		}
		var wg sync.WaitGroup
		for i := range 20 {
			storagetest.Put(t, w, storagetest.Exchange(fmt.Sprintf("http://a.example/%d", i), "x"))
			wg.Go(func() {
				if err := w.Sync(context.Background()); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := w.Sync(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that gave up: %v", err)
		}
		wg.Wait()
		if disk.syncs != 2 {
			t.Errorf("%d syncs for 20 callers, want the first one's and one for the rest", disk.syncs)
		}
		if err := w.Sync(context.Background()); err != nil || disk.syncs != 2 {
			t.Errorf("nothing to do: %v, %d syncs", err, disk.syncs)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
