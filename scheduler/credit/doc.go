// Package credit is what is lent out and who is there to take more: the active turns, and the fetchers that the gossip names. Credit
// is the slots of the one less the number of the other; how many turns are made by it is decided in [trawl/scheduler/core].
//
// [Turns] are those of the newest commit. Looking for what is over costs nothing while nothing is: each kind of look keeps the earliest
// time at which it can find something. [Fetchers] are as the newest step saw them.
//
// # What is not here
//
// The rules of a turn (offer, grant, lapse), and edits that are not committed yet. Nothing here is safe for several goroutines.
package credit
