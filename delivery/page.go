package delivery

// A Page asks for one slice of a list, by position (keyset), not by number.
// Either First or Last is positive. After and Before are cursors that an
// earlier slice gave out.
type Page struct {
	First  int    // the first n after After
	After  string // "" for the list's start
	Last   int    // the last n before Before
	Before string // "" for the list's end
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
}
