package crawler

import "errors"

// ErrUsage: a mistake in options, settings or seeds, which the caller can mend.
var ErrUsage = errors.New("wrong usage")

type usageError struct{ error }

func (e usageError) Is(target error) bool { return target == ErrUsage }
func (e usageError) Unwrap() error        { return e.error }

// UsageError marks an error as [ErrUsage]. Its text stays; nil stays nil.
func UsageError(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}
