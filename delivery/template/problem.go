package template

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxProblems is how many problems Compile reports at most. Errors take
// precedence over warnings.
const MaxProblems = 20

// A Severity says whether a problem keeps a template from being saved.
type Severity string

// The severities of a Problem.
const (
	SeverityError   Severity = "ERROR"   // the template cannot be used
	SeverityWarning Severity = "WARNING" // it can be used, but may not do what was meant
)

// A Code says what kind of problem a Problem is. Codes are stable: clients may
// branch on them.
type Code string

// The codes of what is not strict JSON. All are errors.
const (
	CodeEmpty            Code = "EMPTY"             // there is no text at all
	CodeTooLong          Code = "TOO_LONG"          // more than MaxTemplate bytes
	CodeTooDeep          Code = "TOO_DEEP"          // more than MaxDepth levels
	CodeSyntax           Code = "SYNTAX"            // any other violation of JSON's grammar
	CodeUnclosed         Code = "UNCLOSED"          // a string, object or array without its end
	CodeMissingComma     Code = "MISSING_COMMA"     // two values without a comma between them
	CodeTrailingComma    Code = "TRAILING_COMMA"    // a comma before } or ]
	CodeComment          Code = "COMMENT"           // JSON has none
	CodeSingleQuotes     Code = "SINGLE_QUOTES"     // '…' instead of "…"
	CodeUnquotedKey      Code = "UNQUOTED_KEY"      // {a: 1}
	CodeUnquotedVariable Code = "UNQUOTED_VARIABLE" // {"a": #name}
	CodeBadLiteral       Code = "BAD_LITERAL"       // NaN, True, undefined or unquoted text
	CodeBadNumber        Code = "BAD_NUMBER"        // 01, +1, .5, 1.
	CodeBadEscape        Code = "BAD_ESCAPE"        // \x and the like
	CodeLoneSurrogate    Code = "LONE_SURROGATE"    // half of a surrogate pair
	CodeControlCharacter Code = "CONTROL_CHARACTER" // a tab or line break inside a string
	CodeBadUTF8          Code = "BAD_UTF8"          // bytes that are not UTF-8
	CodeDuplicateKey     Code = "DUPLICATE_KEY"     // the same key twice in one object
)

// The codes of what is wrong with variables and filters.
const (
	CodeTooManyVariables    Code = "TOO_MANY_VARIABLES"   // error: more than MaxUses uses
	CodeUnavailableVariable Code = "UNAVAILABLE_VARIABLE" // error: this event type never has it
	CodeUnknownVariable     Code = "UNKNOWN_VARIABLE"     // warning; an error inside #{…}
	CodeLongerName          Code = "LONGER_NAME"          // warning: name characters follow a variable
	CodeVariableInKey       Code = "VARIABLE_IN_KEY"      // warning: keys are never expanded
	CodeBadForm             Code = "BAD_FORM"             // error: not of the form #{name|filter:argument}
	CodeUnknownFilter       Code = "UNKNOWN_FILTER"       // error
	CodeBadArgument         Code = "BAD_ARGUMENT"         // error: missing, needless or wrong
	CodeTooManyFilters      Code = "TOO_MANY_FILTERS"     // error: more than MaxFilters on one variable
	CodeMisplacedRaw        Code = "MISPLACED_RAW"        // error: raw is not last or not the whole string
	CodeSecretUnavailable   Code = "SECRET_UNAVAILABLE"   // error: #{secret.…}
)

// A Problem is something wrong or suspicious in a template's source.
type Problem struct {
	Severity Severity
	Code     Code
	Line     int    // from 1
	Column   int    // from 1, in characters; a byte order mark does not count
	Message  string // full sentences that say what to do
}

// String returns the problem with its position, for logs and tests.
func (p Problem) String() string {
	return fmt.Sprintf("line %d, column %d: %s: %s", p.Line, p.Column, p.Code, p.Message)
}

// Blocks reports whether the problem keeps the template from being used.
func (p Problem) Blocks() bool { return p.Severity == SeverityError }

// A finding is a problem whose position is still an offset.
type finding struct {
	at      int
	code    Code
	message string
}

// A report collects findings. Each list is bounded so that a hostile template
// costs no more than an honest one.
type report struct {
	errors   []finding
	warnings []finding
}

// full reports whether a further error would be dropped.
func (r *report) full() bool { return len(r.errors) >= MaxProblems }

func (r *report) fail(at int, code Code, format string, args ...any) {
	if !r.full() {
		r.errors = append(r.errors, finding{at, code, fmt.Sprintf(format, args...)})
	}
}

func (r *report) warn(at int, code Code, format string, args ...any) {
	if len(r.warnings) < MaxProblems {
		r.warnings = append(r.warnings, finding{at, code, fmt.Sprintf(format, args...)})
	}
}

// problems returns the findings in the order of the source.
func (r *report) problems(source string) []Problem {
	warnings := r.warnings[:min(len(r.warnings), MaxProblems-len(r.errors))]
	problems := append(located(source, r.errors, SeverityError),
		located(source, warnings, SeverityWarning)...)
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return problems
}

func located(source string, findings []finding, severity Severity) []Problem {
	problems := make([]Problem, 0, len(findings))
	for _, f := range findings {
		line, column := position(source, f.at)
		problems = append(problems, Problem{severity, f.code, line, column, f.message})
	}
	return problems
}

// position turns an offset into a line and a column in characters.
func position(source string, at int) (line, column int) {
	before := source[:min(at, len(source))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

// shown quotes a piece of the source for a message.
func shown(text string) string { return "“" + short(text) + "”" }

// short keeps a piece of the source short enough for a message.
func short(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
