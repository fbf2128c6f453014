package scheduler

import "trawl/scheduler/core"

// Words of the core that callers of a scheduler use.
type (
	Seed     = core.Seed
	Admitted = core.Admitted
	Lost     = core.Lost
)

// Errors of the core that callers look for.
var (
	ErrOtherJob = core.ErrOtherJob
	ErrEnding   = core.ErrEnding
)
