package limits

import "github.com/vektah/gqlparser/v2/ast"

// ceiling keeps the counters of documents with exponentially nested fragments
// from overflowing.
const ceiling = 1 << 20

// weight is the size of a selection set with its fragments expanded.
type weight struct {
	level   int // fields of the set itself, without its children
	fields  int // fields at every level
	aliases int
	depth   int
}

func (w weight) plus(o weight) weight {
	return weight{
		level:   min(w.level+o.level, ceiling),
		fields:  min(w.fields+o.fields, ceiling),
		aliases: min(w.aliases+o.aliases, ceiling),
		depth:   max(w.depth, o.depth),
	}
}

func (w weight) atLeast(o weight) weight {
	return weight{
		level:   max(w.level, o.level),
		fields:  max(w.fields, o.fields),
		aliases: max(w.aliases, o.aliases),
		depth:   max(w.depth, o.depth),
	}
}

// A meter measures the selection sets of a document. Each fragment is measured
// once, so the time is linear in the text.
type meter struct {
	fragments map[string]*ast.FragmentDefinition
	weights   map[string]weight
}

func newMeter(doc *ast.QueryDocument) *meter {
	m := &meter{fragments: map[string]*ast.FragmentDefinition{}, weights: map[string]weight{}}
	for _, f := range doc.Fragments {
		m.fragments[f.Name] = f
	}
	return m
}

func (m *meter) selections(set ast.SelectionSet) weight {
	var total weight
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			w := m.selections(s.SelectionSet)
			w.level = 1
			w.fields++
			w.depth++
			if s.Alias != s.Name {
				w.aliases++
			}
			total = total.plus(w)
		case *ast.InlineFragment:
			total = total.plus(m.selections(s.SelectionSet))
		case *ast.FragmentSpread:
			total = total.plus(m.fragment(s.Name))
		}
	}
	return total
}

// fragment measures a fragment. A fragment that spreads itself has no weight on
// the second visit: validation refuses it with a better message.
func (m *meter) fragment(name string) weight {
	if w, known := m.weights[name]; known {
		return w
	}
	m.weights[name] = weight{}
	if f := m.fragments[name]; f != nil {
		m.weights[name] = m.selections(f.SelectionSet)
	}
	return m.weights[name]
}

// keysOf counts the response keys of the field name in a set. A key that occurs
// twice is executed once and counts once.
func (m *meter) keysOf(name string, set ast.SelectionSet, keys, visited map[string]bool) int {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if s.Name == name {
				keys[s.Alias] = true
			}
		case *ast.InlineFragment:
			m.keysOf(name, s.SelectionSet, keys, visited)
		case *ast.FragmentSpread:
			if f := m.fragments[s.Name]; f != nil && !visited[s.Name] {
				visited[s.Name] = true
				m.keysOf(name, f.SelectionSet, keys, visited)
			}
		}
	}
	return len(keys)
}
