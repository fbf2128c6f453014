package storage

// Permissions, less the umask: what the user asked for (bodies, exports, and the directories that lead to them) is for
// whom the umask lets read it. What trawl keeps for itself is for its user alone, as it may hold credentials and cookies.
const (
	fileMode    = 0o666
	dirMode     = 0o777
	privateFile = 0o600
	privateDir  = 0o700
)
