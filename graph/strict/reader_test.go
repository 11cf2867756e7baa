package strict

import (
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"
)

// read reads objects, lists, strings, booleans and nulls, of any depth.
func read(r *Reader) any {
	switch r.peek() {
	case '{':
		object := map[string]any{}
		r.Object()
		for name, more := r.Member(); more; name, more = r.Member() {
			object[name] = read(r)
		}
		return object
	case '[':
		list := []any{}
		for r.List(); r.Element(); {
			list = append(list, read(r))
		}
		return list
	case '"':
		return r.Text()
	case 'n':
		r.Null()
		return nil
	}
	return r.Bool()
}

func TestOnlyJSONIsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{}`: true, `[]`: true, ` [ { } , [ ] ] `: true, `{"a":{"b":[null,true,false,"x"]}}`: true,
		`"\u0041\n\""`: true, ``: false, ` `: false, `[`: false, `{"a"`: false, `{"a":`: false, `{"a":"b"`: false,
		`[,]`: false, `["a",]`: false, `["a""b"]`: false, `{"a":"b",}`: false, `{"a" "b"}`: false, `{a:"b"}`: false,
		`[}`: false, `{]`: false, `"a`: false, `"\`: false, `"\x"`: false, "\"\t\"": false, `nul`: false,
		`true x`: false, "[]\x00": false, `tru`: false, `[nulltrue]`: false, `{"\u0061":"b"}`: false,
	} {
		r := New(text)
		if read(r); r.Done() != want {
			t.Errorf("%q is read: %t, want %t", text, !want, want)
		}
	}
}

func TestNamesCome(t *testing.T) {
	t.Parallel()
	r := New(`{"a": [{"}": "]"}], "b": null}`)
	var names []string
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		names = append(names, name)
		if name == "a" {
			if raw := r.Raw(); raw != `[{"}": "]"}]` {
				t.Errorf("raw %q", raw)
			}
		} else if text := r.TextOrNull(); text != "" {
			t.Errorf("null is %q", text)
		}
	}
	if !r.Done() || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("names %q", names)
	}
}

// FuzzReader compares with encoding/json: what is read is JSON, and the same.
func FuzzReader(f *testing.F) {
	for _, text := range []string{`{"a":{"b":[null,true,"\ud83d\ude00\ud800x"]}}`, `[[],{}, "\\"]`, `{"a":1}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		r := New(text)
		got := read(r)
		if !r.Done() {
			return
		}
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%q is read, but: %v", text, err)
		}
		a, errA := json.Marshal(got)
		b, errB := json.Marshal(want)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("%q is read as %s, want %s", text, a, b)
		}
	})
}
