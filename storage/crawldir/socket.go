package crawldir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"trawl/internal/durable"
)

// maxSocketPath is the longest path of a control socket, in bytes. Every system takes 103 (an address has 104 with its
// final zero on some, 108 on Linux), and the listener makes the socket first under a name that is two bytes longer.
const maxSocketPath = 101

// ControlSocket is the path of the socket by which the crawl in a directory is steered, whether or not one
// is running. It is control.sock in the directory; where that path is too long for a socket, a short one
// in a private directory below the one for temporary files, which is made when it is missing. All
// spellings of a directory give the same path.
func ControlSocket(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find control socket: %w", err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	if path := filepath.Join(abs, socketName); len(path) <= maxSocketPath {
		return path, nil
	}
	private, err := privateTemp()
	if err != nil {
		return "", fmt.Errorf("the path of %s is too long for its control socket, and there is no other place: %w", dir, err)
	}
	sum := sha256.Sum256([]byte(abs))
	path := filepath.Join(private, hex.EncodeToString(sum[:12])+".sock")
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("%s is too long a path for a control socket (%d bytes at most): set TMPDIR to a shorter one", path, maxSocketPath)
	}
	return path, nil
}

// privateTemp is a directory for temporary files that nobody else can put anything into. The directory
// above is everybody's, so one that another user made in our name is refused.
func privateTemp() (string, error) {
	path := filepath.Join(os.TempDir(), "trawl-"+strconv.Itoa(os.Getuid()))
	if err := os.Mkdir(path, durable.PrivateDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o077 != 0 {
		return "", fmt.Errorf("%s is not a directory of this user alone: remove it", path)
	}
	return path, nil
}
