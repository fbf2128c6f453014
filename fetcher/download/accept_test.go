package download

import (
	"testing"

	"trawl/crawler"
)

func TestABodyWithoutATypeCouldBeAnything(t *testing.T) {
	x := &exchange{request: request{accepts: (&crawler.Job{Accept: []string{"application/octet-stream"}}).Accepts}}
	x.result.Status = 200
	if !x.wanted() {
		t.Errorf("%+v", x.result)
	}
}
