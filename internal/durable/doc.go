// Package durable makes files outlive a power cut: write, sync, rename, sync of the directory, each once.
//
// [Fsync] is what makes durable; everything here goes through one, so that tests put a disk in its place that forgets the rest
// (package disktest). [Fsync.ReplaceFile] makes a file appear whole under its name, [WriteFile] does the same and writes to pipes and
// devices as they are. The permissions that files and directories of trawl have are here, too.
//
// No goroutines are left running: [Fsync.SyncAll] syncs several files at a time and waits for them.
//
// Crash story: under a name lies the older file or the whole new one. A temporary file that a killed process left begins with a dot and
// the name meant, is locked by nobody, and is removed by the next [WriteFile] to that name.
//
// What is not here: what the files hold and where they lie. It knows nothing of crawls.
package durable
