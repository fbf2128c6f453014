package records_test

import (
	"testing"

	"trawl/crawler/records"
	"trawl/crawler/schema"
)

// ours are the texts that no server and no user chooses freely, and why.
var ours = map[string]string{
	"url":         "it begins with http",
	"host":        "it is a name or an address",
	"outcome":     "it is one of our words",
	"reason":      "it is one of our words",
	"digest":      "it begins with sha256",
	"redirect_to": "it begins with http",
	"via":         "it begins with http",
	"ip":          "it is an address",
	"fetcher":     "names of fetchers are letters, digits, - and _",
}

// A spreadsheet takes some texts for formulas: a column whose text comes from outside is marked, so that exports can guard it.
func TestTextFromOutsideIsMarked(t *testing.T) {
	for _, c := range records.Row.Columns() {
		if text := c.Form == schema.FormText || c.Form == schema.FormList; text && !c.Has(schema.Chosen) && ours[c.Name] == "" {
			t.Errorf("column %s is a text without the mark chosen: who chooses it?", c.Name)
		} else if c.Has(schema.Chosen) && ours[c.Name] != "" {
			t.Errorf("column %s is marked as chosen, and listed as ours", c.Name)
		}
	}
}
