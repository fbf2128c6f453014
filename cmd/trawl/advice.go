package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"trawl/storage"
)

// remedies are what a user can do about errors of the machine's.
var remedies = []struct {
	errno  syscall.Errno
	advice string
}{
	{syscall.ENOSPC, "make room on that disk, and give the same command again"},
	{syscall.EDQUOT, "make room within the quota of that disk, and give the same command again"},
	{syscall.EROFS, "that disk can only be read: let it be written, or choose another place"},
	{syscall.EACCES, "give yourself the right to it, or choose another place"},
	{syscall.EPERM, "give yourself the right to it, or choose another place"},
	{syscall.ENOTDIR, "a file stands where a directory should be: choose another place"},
	{syscall.EIO, "see to that disk, and give the same command again"},
	{syscall.EMFILE, "raise the limit of open files (ulimit -n), and give the same command again"},
}

// advise adds to an error of the machine's what can be done about it, where it does not say so itself.
func advise(err error) error {
	if errors.Is(err, storage.ErrUnwritable) {
		return err
	}
	for _, r := range remedies {
		if errors.Is(err, r.errno) {
			return fmt.Errorf("%w; %s", err, r.advice)
		}
	}
	return err
}

// unknownCommand says in one line what the library says in several.
func unknownCommand(err error) error {
	what, rest, _ := strings.Cut(err.Error(), "\n")
	_, names, _ := strings.Cut(rest, "?\n")
	if near := strings.Fields(names); len(near) > 0 {
		return usage("%s: did you mean %s? See trawl --help", what, strings.Join(near, " or "))
	}
	return usage("%s; see trawl --help", what)
}
