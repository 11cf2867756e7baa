package limits

import (
	"container/list"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
)

// lru remembers the documents asked for last. It is safe for concurrent use.
type lru struct {
	mu    sync.Mutex
	size  int
	order *list.List // of *entry, most recent first
	byKey map[string]*list.Element
}

type entry struct {
	query string
	doc   *ast.QueryDocument
}

func newLRU(size int) *lru {
	return &lru{size: size, order: list.New(), byKey: map[string]*list.Element{}}
}

func (c *lru) get(query string) (*ast.QueryDocument, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[query]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry).doc, true
}

func (c *lru) add(query string, doc *ast.QueryDocument) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[query]; ok {
		e.Value.(*entry).doc = doc
		c.order.MoveToFront(e)
		return
	}
	c.byKey[query] = c.order.PushFront(&entry{query: query, doc: doc})
	if c.order.Len() > c.size {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.byKey, oldest.Value.(*entry).query)
	}
}
