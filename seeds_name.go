package trawl

import (
	"fmt"

	"trawl/crawler"
)

// nameSeed takes over what a list says beside a URL: the name of its file and the digest of its body, "" = nothing.
func nameSeed(s *Seed, name, digest string) (err error) {
	if digest != "" {
		if s.Want, err = crawler.ParseDigest(digest); err != nil {
			return fmt.Errorf("digest: %w", err)
		}
	}
	if name == "" {
		return nil
	}
	s.Name, err = crawler.CleanName(name)
	return err
}
