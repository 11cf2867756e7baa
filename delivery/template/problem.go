package template

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxProblems is the maximum number of problems that Compile returns. Errors take
// precedence over warnings.
const MaxProblems = 20

// A Severity says whether a problem prevents a template from being saved.
type Severity string

// The severities of a Problem.
const (
	SeverityError   Severity = "ERROR"   // the template cannot be used
	SeverityWarning Severity = "WARNING" // the template can be used but may not do what is intended
)

// A Code classifies a Problem. Codes are stable: clients may branch on them.
type Code string

// The codes of syntax errors. All have SeverityError.
const (
	CodeEmpty            Code = "EMPTY"             // no text at all
	CodeTooLong          Code = "TOO_LONG"          // more than MaxTemplate bytes
	CodeTooDeep          Code = "TOO_DEEP"          // more than MaxDepth levels
	CodeSyntax           Code = "SYNTAX"            // any other violation of JSON's grammar
	CodeUnclosed         Code = "UNCLOSED"          // a string, object or array without an end
	CodeMissingComma     Code = "MISSING_COMMA"     // two values without a comma between them
	CodeTrailingComma    Code = "TRAILING_COMMA"    // a comma before } or ]
	CodeComment          Code = "COMMENT"           // JSON has no comments
	CodeSingleQuotes     Code = "SINGLE_QUOTES"     // '…' instead of "…"
	CodeUnquotedKey      Code = "UNQUOTED_KEY"      // {a: 1}
	CodeUnquotedVariable Code = "UNQUOTED_VARIABLE" // {"a": #name}
	CodeBadLiteral       Code = "BAD_LITERAL"       // NaN, True, undefined or unquoted text
	CodeBadNumber        Code = "BAD_NUMBER"        // 01, +1, .5, 1.
	CodeBadEscape        Code = "BAD_ESCAPE"        // \x and the like
	CodeLoneSurrogate    Code = "LONE_SURROGATE"    // half of a surrogate pair
	CodeControlCharacter Code = "CONTROL_CHARACTER" // a tab or line break inside a string
	CodeBadUTF8          Code = "BAD_UTF8"          // invalid UTF-8
	CodeDuplicateKey     Code = "DUPLICATE_KEY"     // the same key twice in one object
)

// The codes of problems with variables and filters.
const (
	CodeTooManyVariables    Code = "TOO_MANY_VARIABLES"   // error: more than MaxUses references
	CodeUnavailableVariable Code = "UNAVAILABLE_VARIABLE" // error: not a variable of this event type
	CodeUnknownVariable     Code = "UNKNOWN_VARIABLE"     // warning; an error inside #{…}
	CodeLongerName          Code = "LONGER_NAME"          // warning: name characters follow a variable
	CodeVariableInKey       Code = "VARIABLE_IN_KEY"      // warning: keys are never expanded
	CodeBadForm             Code = "BAD_FORM"             // error: not of the form #{name|filter:argument}
	CodeUnknownFilter       Code = "UNKNOWN_FILTER"       // error
	CodeBadArgument         Code = "BAD_ARGUMENT"         // error: missing, superfluous or invalid
	CodeTooManyFilters      Code = "TOO_MANY_FILTERS"     // error: more than MaxFilters on one variable
	CodeMisplacedRaw        Code = "MISPLACED_RAW"        // error: raw is not last or not the whole string
	CodeSecretUnavailable   Code = "SECRET_UNAVAILABLE"   // error: #{secret.…}
)

// A Problem is an error or a warning about the source of a template.
type Problem struct {
	Severity Severity
	Code     Code
	Line     int    // from 1
	Column   int    // from 1, in characters; a byte order mark is not counted
	Message  string // full sentences with advice
}

// String returns the problem with its position, for logs and tests.
func (p Problem) String() string {
	return fmt.Sprintf("line %d, column %d: %s: %s", p.Line, p.Column, p.Code, p.Message)
}

// Blocks reports whether the problem prevents the template from being used.
func (p Problem) Blocks() bool { return p.Severity == SeverityError }

// A finding is a problem whose position is an offset.
type finding struct {
	at      int
	code    Code
	message string
}

// findings collects problems. Each list is bounded so that a malicious template is
// not more expensive than others.
type findings struct {
	errors   []finding
	warnings []finding
}

// full reports whether a further error would be dropped.
func (f *findings) full() bool { return len(f.errors) >= MaxProblems }

func (f *findings) fail(at int, code Code, format string, args ...any) {
	if !f.full() {
		f.errors = append(f.errors, finding{at, code, fmt.Sprintf(format, args...)})
	}
}

func (f *findings) warn(at int, code Code, format string, args ...any) {
	if len(f.warnings) < MaxProblems {
		f.warnings = append(f.warnings, finding{at, code, fmt.Sprintf(format, args...)})
	}
}

// problems returns the problems in the order of the source.
func (f *findings) problems(source string) []Problem {
	warnings := f.warnings[:min(len(f.warnings), MaxProblems-len(f.errors))]
	problems := append(locate(source, f.errors, SeverityError),
		locate(source, warnings, SeverityWarning)...)
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return problems
}

func locate(source string, found []finding, severity Severity) []Problem {
	problems := make([]Problem, 0, len(found))
	for _, f := range found {
		line, column := position(source, f.at)
		problems = append(problems, Problem{severity, f.code, line, column, f.message})
	}
	return problems
}

// position converts an offset to a line and a column in characters.
func position(source string, at int) (line, column int) {
	before := source[:min(at, len(source))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

// shown quotes a part of the source for a message.
func shown(text string) string { return "“" + short(text) + "”" }

// short truncates a part of the source for a message.
func short(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
