package durable

// Permissions, less the umask: what the user asked for (bodies, exports, and the directories that lead to them) is for
// whom the umask lets read it. What trawl keeps for itself is for its user alone, as it may hold credentials and cookies.
const (
	FileMode    = 0o666
	DirMode     = 0o777
	PrivateFile = 0o600
	PrivateDir  = 0o700
)
