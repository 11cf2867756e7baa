package delivery

import "time"

// A Page asks for one slice of a list, by position (keyset), not by number.
// Either First or Last is positive. After and Before are cursors that an
// earlier slice gave out.
type Page struct {
	First  int    // the first n after After
	After  string // "" for the list's start
	Last   int    // the last n before Before
	Before string // "" for the list's end
	// Window bounds a scan of deliveries with First: at most those that were made
	// in so much time before the page's start are looked at. 0 for no bound.
	Window time.Duration
}

// Limits of a Page.
const (
	DefaultPageSize = 25
	MaxPageSize     = 100
)

// A Slice is part of a list.
type Slice[T any] struct {
	Items   []T
	Cursors []string // one for each item
	HasNext bool     // whether more follow the last item
	HasPrev bool     // whether more come before the first item
	Total   int      // of the whole list, where the list is short enough to count; else -1
	// SearchedTo is the time back to which a scan with a Window has looked without
	// filling the page or reaching the end of the list, and End the cursor of that
	// position; otherwise they are zero.
	SearchedTo time.Time
	End        string
}

// Bounded returns p with its defaults, or Invalid when it asks for both ends,
// for none, or for more than MaxPageSize.
func (p Page) Bounded() (Page, error) {
	switch {
	case p.First < 0 || p.First > MaxPageSize:
		return p, Errorf(Invalid, "first", "Ask for 1 to %d at once.", MaxPageSize)
	case p.Last < 0 || p.Last > MaxPageSize:
		return p, Errorf(Invalid, "last", "Ask for 1 to %d at once.", MaxPageSize)
	case p.First > 0 && p.Last > 0:
		return p, Errorf(Invalid, "last", "Ask for the first or for the last ones, not for both.")
	case p.First == 0 && p.Last == 0:
		p.First = DefaultPageSize
	}
	return p, nil
}
