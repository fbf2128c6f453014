package main

import "fmt"

// maxBadSeeds is how many lines that cannot be read are told one by one: the summary counts all of them.
const maxBadSeeds = 20

// tellBadSeeds reports lines that cannot be read.
func (p *program) tellBadSeeds() func(error) {
	told := 0
	return func(err error) {
		switch told++; {
		case told <= maxBadSeeds:
			fmt.Fprintf(p.stderr, "trawl: %s\n", p.spell(err.Error()))
		case told == maxBadSeeds+1:
			fmt.Fprintln(p.stderr, "trawl: more lines cannot be read; from here on they are only counted")
		}
	}
}
