package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// runtimeDir is the directory of the user's running jobs: below the one that the system gives a user, or else below that of
// temporary files.
func runtimeDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "trawl")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("trawl-%d", os.Getuid()))
}
