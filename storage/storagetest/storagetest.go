// Package storagetest is what tests of several rooms of storage share: exchanges and rows as a crawl makes them, values in every
// field, and a model of a ledger. Tests alone import it, and it imports none of the rooms, so that each of them may.
package storagetest
