package ent

import (
	"bytes"
	"testing"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

func TestCursorsComeBackAsTheyWere(t *testing.T) {
	byText, byNumber := listing{kind: 't', text: true}, listing{kind: 'n'}
	for name, tt := range map[string]struct {
		list listing
		at   position
	}{
		"text":       {byText, position{text: []byte("é\x00\xff"), id: 1<<63 - 1}},
		"empty text": {byText, position{text: []byte{}, id: 1}},
		"number":     {byNumber, position{number: -5, id: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tt.list.parse("after", tt.list.cursor(tt.at))
			if err != nil {
				t.Fatal(err)
			}
			if got.id != tt.at.id || got.number != tt.at.number || !bytes.Equal(got.text, tt.at.text) {
				t.Errorf("got %+v, want %+v", got, tt.at)
			}
		})
	}
}

func TestPagesAreBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		page delivery.Page
		want int
	}{
		"nothing asked for": {delivery.Page{}, delivery.DefaultPageSize},
		"too many first":    {delivery.Page{First: 1 << 40}, sqldb.MaxPage},
		"too many last":     {delivery.Page{Last: 1 << 40}, sqldb.MaxPage},
		"negative":          {delivery.Page{First: -1, Last: -1}, delivery.DefaultPageSize},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := listing{}.window(tt.page)
			if err != nil || w.size != tt.want {
				t.Errorf("got %d, %v, want %d", w.size, err, tt.want)
			}
		})
	}
}

// Whatever a client sends as a cursor is either one that the list could have
// given out, or Invalid.
func FuzzCursor(f *testing.F) {
	byText, byNumber := listing{kind: 't', text: true}, listing{kind: 'n'}
	f.Add(byText.cursor(position{text: []byte("name"), id: 3}))
	f.Add(byNumber.cursor(position{number: 9, id: 3}))
	f.Add("")
	f.Add("bm90IGEgY3Vyc29y")
	f.Add("bgAAAAAAAAADAAA\rAAAAAAAm7f9pE")
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, l := range []listing{byText, byNumber} {
			p, err := l.parse("before", cursor)
			if err != nil {
				if delivery.CodeOf(err) != delivery.Invalid {
					t.Errorf("%q: %v, want Invalid", cursor, err)
				}
				continue
			}
			if again := l.cursor(p); again != cursor {
				t.Errorf("%q was read as %+v, which is %q", cursor, p, again)
			}
		}
	})
}
