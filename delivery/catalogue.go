package delivery

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"portalhooks/delivery/template"
)

// A Locale is a language that event types have captions in.
type Locale string

// The locales.
const (
	English    Locale = "EN"
	Spanish    Locale = "ES"
	Catalan    Locale = "CA"
	Portuguese Locale = "PT_BR"
)

// A VariableType says what a variable's values look like.
type VariableType string

// The variable types.
const (
	TextVariable     VariableType = "TEXT"
	IDVariable       VariableType = "ID"
	EnumVariable     VariableType = "ENUM"
	DateTimeVariable VariableType = "DATETIME"
	IntegerVariable  VariableType = "INTEGER"
	JSONVariable     VariableType = "JSON"
)

// A VariableOrigin says where a variable comes from.
type VariableOrigin string

// The origins.
const (
	CommonOrigin    VariableOrigin = "COMMON"    // every event type has it
	EventOrigin     VariableOrigin = "EVENT"     // the event type's own
	ExtensionOrigin VariableOrigin = "EXTENSION" // an addition that default templates never use
)

// A Variable is something that a template can show of an event.
type Variable struct {
	Name     string // without "#"
	Caption  string
	Type     VariableType
	Origin   VariableOrigin
	Sample   string // an integer's digits, or JSON's compact text
	Required bool   // whether every event has a value
}

// TypeInfo is what the catalogue says about an event type.
type TypeInfo struct {
	Type            EventType
	Captions        map[Locale]string
	Description     string
	ItemKind        ItemKind
	AllItemsLabel   string // of the switch that selects all items
	Viewable        bool   // whether its items have a page in Portal
	PerWorkspace    bool   // whether an occurrence raises one event per device
	Variables       []Variable
	DefaultTemplate string
}

// Caption returns the type's name in a language, English if it has none there.
func (t TypeInfo) Caption(l Locale) string {
	if caption, ok := t.Captions[l]; ok {
		return caption
	}
	return t.Captions[English]
}

// EventTypes returns all event types in the catalogue's order. Callers must not
// change what it returns.
func EventTypes() []TypeInfo { return catalogue().types }

// TypeInfoOf returns what the catalogue says about t; ok is false for an
// unknown type.
func TypeInfoOf(t EventType) (TypeInfo, bool) {
	i, ok := catalogue().index[t]
	if !ok {
		return TypeInfo{}, false
	}
	return catalogue().types[i], true
}

// A catalog is the parsed catalogue.json.
type catalog struct {
	types        []TypeInfo
	index        map[EventType]int
	vocabularies map[EventType]template.Vocabulary
	samples      map[EventType]json.RawMessage // an event's variables, as Event.Variables
	demo         DemoData
}

//go:embed catalogue.json
var catalogueJSON []byte

// catalogue returns the catalogue that is built into the program. That it can
// be read is proved by a test, so a failure here is a broken build.
var catalogue = sync.OnceValue(func() *catalog {
	c, err := parseCatalogue(catalogueJSON)
	if err != nil {
		panic(err)
	}
	return c
})

// The parts of catalogue.json that the program uses.
type (
	catalogueFile struct {
		Common     []catalogueVariable     `json:"common_variables"`
		Extensions []catalogueVariable     `json:"common_extension_variables"`
		Types      []catalogueType         `json:"event_types"`
		Items      map[ItemKind][]demoItem `json:"items"`
		Demo       struct {
			Organizations []DemoOrganization `json:"organizations"`
			Webhooks      []demoWebhook      `json:"webhooks"`
		} `json:"demo"`
	}
	catalogueType struct {
		ID            EventType           `json:"id"`
		Captions      map[string]string   `json:"captions"`
		Description   string              `json:"description"`
		ItemKind      ItemKind            `json:"item_kind"`
		AllItemsLabel string              `json:"all_items_label"`
		Viewable      bool                `json:"view_button"`
		Granularity   string              `json:"granularity"`
		Variables     []catalogueVariable `json:"variables"`
		Extensions    []catalogueVariable `json:"extension_variables"`
		Template      string              `json:"template_text"`
	}
	catalogueVariable struct {
		Name     string          `json:"name"`
		Caption  string          `json:"caption"`
		Type     string          `json:"type"`
		Required bool            `json:"required"`
		Sample   json.RawMessage `json:"sample"`
	}
)

func parseCatalogue(file []byte) (*catalog, error) {
	var f catalogueFile
	if err := json.Unmarshal(file, &f); err != nil {
		return nil, fmt.Errorf("parse the catalogue: %w", err)
	}
	c := &catalog{
		index:        make(map[EventType]int),
		vocabularies: make(map[EventType]template.Vocabulary),
		samples:      make(map[EventType]json.RawMessage),
	}
	var err error
	if c.demo, err = parseDemo(&f); err != nil {
		return nil, fmt.Errorf("parse the demo data of the catalogue: %w", err)
	}
	var known []string
	for _, t := range f.Types {
		info, err := parseType(&f, t)
		if err != nil {
			return nil, fmt.Errorf("parse the event type %s of the catalogue: %w", t.ID, err)
		}
		c.index[info.Type] = len(c.types)
		c.types = append(c.types, info)
		known = append(known, names(info)...)
	}
	for _, info := range c.types {
		c.vocabularies[info.Type] = template.NewVocabulary(known, names(info))
		c.samples[info.Type] = sampleVariables(info)
	}
	return c, nil
}

func parseType(f *catalogueFile, t catalogueType) (TypeInfo, error) {
	info := TypeInfo{
		Type: t.ID, Description: t.Description, ItemKind: t.ItemKind, AllItemsLabel: t.AllItemsLabel,
		Viewable: t.Viewable, PerWorkspace: t.Granularity == "one per device", DefaultTemplate: t.Template,
		Captions: make(map[Locale]string, len(t.Captions)),
	}
	for locale, caption := range t.Captions {
		info.Captions[Locale(strings.ReplaceAll(strings.ToUpper(locale), "-", "_"))] = caption
	}
	for _, group := range []struct {
		variables []catalogueVariable
		origin    VariableOrigin
	}{
		{f.Common, CommonOrigin},
		{t.Variables, EventOrigin},
		{t.Extensions, ExtensionOrigin},
		{f.Extensions, ExtensionOrigin},
	} {
		for _, raw := range group.variables {
			v, err := parseVariable(raw, group.origin)
			if err != nil {
				return TypeInfo{}, err
			}
			switch v.Name {
			case VarEventType:
				v.Sample = info.Caption(English)
			case varEventTypeID:
				v.Sample = string(info.Type)
			}
			info.Variables = append(info.Variables, v)
		}
	}
	return info, nil
}

func parseVariable(raw catalogueVariable, origin VariableOrigin) (Variable, error) {
	v := Variable{
		Name: strings.TrimPrefix(raw.Name, "#"), Caption: raw.Caption, Required: raw.Required,
		Type: VariableType(strings.ToUpper(raw.Type)), Origin: origin,
	}
	if v.Type == IntegerVariable || v.Type == JSONVariable {
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw.Sample); err != nil {
			return Variable{}, fmt.Errorf("compact the sample of %s: %w", raw.Name, err)
		}
		v.Sample = compact.String()
		return v, nil
	}
	if err := json.Unmarshal(raw.Sample, &v.Sample); err != nil {
		return Variable{}, fmt.Errorf("read the sample of %s: %w", raw.Name, err)
	}
	return v, nil
}

func names(info TypeInfo) []string {
	names := make([]string, len(info.Variables))
	for i, v := range info.Variables {
		names[i] = v.Name
	}
	return names
}
