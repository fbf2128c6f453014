package media

import "testing"

func TestWideText(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string
	}{
		{"with the mark, little-endian", "\xff\xfeh\x00i\x00", "hi"},
		{"with the mark, big-endian", "\xfe\xff\x00h\x00i", "hi"},
		{"without a mark, little-endian", "h\x00t\x00t\x00p\x00:\x00", "http:"},
		{"without a mark, big-endian", "\x00h\x00t\x00t\x00p\x00:", "http:"},
		{"bytes", "http://a.test/", ""},
		{"zeros", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := WideText([]byte(c.text))
			if e == nil {
				if c.want != "" {
					t.Error("not noticed")
				}
				return
			}
			if got, err := e.NewDecoder().String(c.text); got != c.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
