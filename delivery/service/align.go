package service

// align orders what was found by the ids that were asked for. Where nothing was
// found, or visible refuses it, there is nil.
func align[K comparable, T any](ids []K, found []T, id func(*T) K, visible func(*T) bool) []*T {
	byID := make(map[K]*T, len(found))
	for i := range found {
		if visible(&found[i]) {
			byID[id(&found[i])] = &found[i]
		}
	}
	aligned := make([]*T, len(ids))
	for i, one := range ids {
		aligned[i] = byID[one]
	}
	return aligned
}

// distinctOf returns the values of a list in order, without repeats and without the
// values for which value reports false.
func distinctOf[T any, K comparable](list []T, value func(T) (K, bool)) []K {
	seen := make(map[K]bool, len(list))
	var values []K
	for _, one := range list {
		if v, ok := value(one); ok && !seen[v] {
			seen[v] = true
			values = append(values, v)
		}
	}
	return values
}
