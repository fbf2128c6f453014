// Package fetchertest has servers, a proxy and texts that tests of several rooms of the fetcher share. Only tests import it.
package fetchertest
