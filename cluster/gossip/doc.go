// Package gossip knows who is there: members of the cluster, by memberlist over TCP and UDP.
//
// [Members] joins the others, keeps joining what was lost, and lists who is known to be there ([Members.List],
// [Members.Changed]). Each member announces a [Meta] of at most [MaxMeta] bytes: role, ports, slots. It decides nothing: which
// fetcher may ask which host is the scheduler's word alone, and which of two schedulers gives way is decided by who asks
// [Member.Precedes] and [Meta.Supersedes].
//
// With a secret everything on the wire is encrypted, with keys that follow from it and change with it; without one only loopback is
// listened on. A member of another job, or of a version too far away, is refused; a node that is refused at its first join ends with cluster.ErrRefused, and one
// that was in already continues. What nodes without the secret can make it hold is bounded ([MaxStreams], [MaxStreamBytes], [MaxStreamsBytes]).
//
// # Goroutines
//
// All run in [Members.Run], the library's too, and have ended when it returns, but for probes under way, which end by themselves a few
// intervals later.
//
// # Crashes
//
// A member that is killed is suspected, then gone, and looked for at its address for an hour ([ForgetLost]). Nothing is stored here;
// a caller that remembers members over a restart gives them back as Options.Last.
//
// # What is not here
//
// Messages about work: they go by the queue.
package gossip
