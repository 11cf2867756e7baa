package limits

import (
	"container/list"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
)

// lru is a cache of the documents used last, bounded by the nodes in them: a
// document of a kilobyte may take half a megabyte once it is parsed. It is safe for
// concurrent use.
type lru struct {
	nodes int // in all
	each  int // of the documents that one owner has added

	mu    sync.Mutex
	held  int
	owned map[string]int // nodes by owner
	order *list.List     // of *entry, most recent first
	byKey map[string]*list.Element
}

type entry struct {
	query  string
	owner  string // whose share it counts for
	nodes  int
	doc    *ast.QueryDocument
	direct *Direct // nil if doc is not one
}

func newLRU(nodes, each int) *lru {
	return &lru{
		nodes: nodes, each: each, owned: map[string]int{}, order: list.New(), byKey: map[string]*list.Element{},
	}
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

// add adds a document that owner has sent. Documents of the same owner make room
// for it, and then those that were used longest ago.
func (c *lru) add(query, owner string, doc *ast.QueryDocument) {
	added := &entry{query: query, owner: owner, nodes: nodesOf(doc), doc: doc, direct: directOf(doc)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[query] != nil || added.nodes > c.each {
		return
	}
	for e := c.order.Back(); e != nil && c.owned[owner]+added.nodes > c.each; {
		older := e.Prev()
		if e.Value.(*entry).owner == owner {
			c.remove(e)
		}
		e = older
	}
	for c.held+added.nodes > c.nodes {
		c.remove(c.order.Back())
	}
	c.held += added.nodes
	c.owned[owner] += added.nodes
	c.byKey[query] = c.order.PushFront(added)
}

func (c *lru) remove(e *list.Element) {
	gone := c.order.Remove(e).(*entry)
	delete(c.byKey, gone.query)
	c.held -= gone.nodes
	if c.owned[gone.owner] -= gone.nodes; c.owned[gone.owner] == 0 {
		delete(c.owned, gone.owner)
	}
}

// nodesOf returns the number of nodes in a document, about a kilobyte each.
func nodesOf(doc *ast.QueryDocument) int {
	nodes := 1
	for _, op := range doc.Operations {
		nodes += 1 + len(op.VariableDefinitions) + directiveNodes(op.Directives) + selectionNodes(op.SelectionSet)
		for _, v := range op.VariableDefinitions {
			nodes += directiveNodes(v.Directives) + valueNodes(v.DefaultValue)
		}
	}
	for _, f := range doc.Fragments {
		nodes += 1 + directiveNodes(f.Directives) + selectionNodes(f.SelectionSet)
	}
	return nodes
}

func selectionNodes(set ast.SelectionSet) int {
	nodes := len(set)
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			nodes += argumentNodes(s.Arguments) + directiveNodes(s.Directives) + selectionNodes(s.SelectionSet)
		case *ast.InlineFragment:
			nodes += directiveNodes(s.Directives) + selectionNodes(s.SelectionSet)
		case *ast.FragmentSpread:
			nodes += directiveNodes(s.Directives)
		}
	}
	return nodes
}

func directiveNodes(all ast.DirectiveList) int {
	nodes := len(all)
	for _, d := range all {
		nodes += argumentNodes(d.Arguments)
	}
	return nodes
}

func argumentNodes(all ast.ArgumentList) int {
	nodes := len(all)
	for _, a := range all {
		nodes += valueNodes(a.Value)
	}
	return nodes
}

func valueNodes(v *ast.Value) int {
	if v == nil {
		return 0
	}
	nodes := 1
	for _, child := range v.Children {
		nodes += valueNodes(child.Value)
	}
	return nodes
}
