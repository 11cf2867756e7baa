package limits

import (
	"container/list"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
)

// lru is a cache of the documents used last. It is safe for concurrent use.
type lru struct {
	mu    sync.Mutex
	size  int
	order *list.List // of *entry, most recent first
	byKey map[string]*list.Element
}

type entry struct {
	query  string
	doc    *ast.QueryDocument
	direct *Direct // nil if doc is not one
}

func newLRU(size int) *lru {
	return &lru{size: size, order: list.New(), byKey: map[string]*list.Element{}}
}

func (c *lru) get(query string) (entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[query]
	if !ok {
		return entry{}, false
	}
	c.order.MoveToFront(e)
	return *e.Value.(*entry), true
}

func (c *lru) add(query string, doc *ast.QueryDocument) {
	added := &entry{query: query, doc: doc, direct: directOf(doc)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[query]; ok {
		e.Value = added
		c.order.MoveToFront(e)
		return
	}
	c.byKey[query] = c.order.PushFront(added)
	if c.order.Len() > c.size {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.byKey, oldest.Value.(*entry).query)
	}
}
