package story

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"portalhooks/test/harness"

	"github.com/rogpeppe/go-internal/testscript"
)

// storyCommands are what scripts can say besides testscript's own words:
//
//	serve [FLAG...]                   start the server; sets URL, PORT, PORTAL and OPERATOR
//	stop | kill9                      end it in good order (it must exit with 0), or at once
//	served out|err                    print what the server wrote; as a program it is called server
//	key NAME ROLE [ORGANIZATION]      make an API key and keep it in NAME
//	gql [-until PATH=VALUE] KEY FILE [NAME=VALUE...]
//	                                  send a query; with -until again and again until the answer is so
//	post KEY FILE                     send a file as it is
//	json PATH VALUE                   the last output has VALUE at PATH
//	let NAME PATH                     keep what the last output has at PATH in NAME
//	received N [RECEIVER]             wait until a receiver has N calls; print them
//	messages FILE                     the calls printed last carry the messages of FILE, in any order
//	verify SECRET                     their signatures are good, say independent libraries
//	begin NAME PATTERN PROGRAM ARG... start a program, wait until its error stream has PATTERN
//	watch NAME PATTERN                wait until its output has PATTERN; print the match
//	finish NAME                       wait for its end; print what it wrote
//
// In FILEs, ${NAME} stands for a variable. KEY is a variable's name, - for no
// key. A VALUE that begins with @ is read from a file.
var storyCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"serve": serveStory, "stop": stopStory, "kill9": killStory, "served": printServer, "key": makeKey,
	"gql": sendQuery, "post": postFile, "json": checkJSON, "let": keepJSON,
	"received": awaitCalls, "messages": checkMessages, "verify": verifyCalls,
	"begin": beginProgram, "watch": watchProgram, "finish": finishProgram,
}

func storyOf(ts *testscript.TestScript, args []string, least int) *story {
	if len(args) < least {
		ts.Fatalf("too few arguments: %q", args)
	}
	return ts.Value(storyKey{}).(*story) // setUp has put it there
}

// environment is what programs of the script get.
func environment(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "PORTALHOOKS_LISTEN", "PORTALHOOKS_DATABASE"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func serveStory(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts, args, 0)
	server, err := harness.StartServer(s.ctx, ts.MkAbs("."), environment(ts), args...)
	ts.Check(err)
	s.server = server
	s.processes["server"] = server.Process
	ts.Setenv("URL", server.URL)
	ts.Setenv("PORT", server.URL[strings.LastIndex(server.URL, ":")+1:])
	ts.Setenv("PORTAL", server.Portal)
	ts.Setenv("OPERATOR", server.Operator)
}

func stopStory(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(storyOf(ts, args, 0).server.Stop())
}

func killStory(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(storyOf(ts, args, 0).server.Kill())
}

func printServer(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts, args, 1)
	c := &s.server.Out
	if args[0] == "err" {
		c = &s.server.Err
	}
	text, _ := c.Read()
	fmt.Fprint(ts.Stdout(), text)
}

func makeKey(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts, args, 2)
	line := []string{"key", "create", "--role", args[1], "--name", args[0]}
	if len(args) > 2 {
		line = append(line, "--organization", args[2])
	}
	ts.Setenv(args[0], strings.TrimSpace(runProgram(ts, s, "", "portalhooks", line...)))
}

// runProgram runs a program to its end and returns what it printed.
func runProgram(ts *testscript.TestScript, s *story, input, name string, args ...string) string {
	path, err := exec.LookPath(name)
	ts.Check(err)
	cmd := exec.CommandContext(s.ctx, path, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = ts.MkAbs("."), environment(ts), strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		ts.Fatalf("%s %q: %v\n%s", name, args, err, stderr.String())
	}
	return string(out)
}

// readExpanded reads a file and replaces ${NAME} by the variable's value.
func readExpanded(ts *testscript.TestScript, file string) string {
	return regexp.MustCompile(`\$\{\w+\}`).ReplaceAllStringFunc(ts.ReadFile(file), func(name string) string {
		return ts.Getenv(name[2 : len(name)-1])
	})
}

// variables reads NAME=VALUE arguments: VALUE is JSON, or text.
func variables(ts *testscript.TestScript, args []string) map[string]any {
	all := map[string]any{}
	for _, arg := range args {
		name, text, _ := strings.Cut(arg, "=")
		if file, ok := strings.CutPrefix(text, "@"); ok {
			text = readExpanded(ts, file)
			if strings.HasSuffix(file, ".jsonl") {
				text = "[" + strings.ReplaceAll(strings.TrimSpace(text), "\n", ",") + "]"
			}
		}
		if json.Valid([]byte(text)) {
			all[name] = json.RawMessage(text)
		} else {
			all[name] = text
		}
	}
	return all
}

func keyNamed(ts *testscript.TestScript, name string) string {
	if name == "-" {
		return ""
	}
	return ts.Getenv(name)
}

func sendQuery(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts, args, 2)
	until := ""
	if args[0] == "-until" {
		until, args = args[1], args[2:]
	}
	mayFail := until == "" || strings.HasPrefix(until, "errors.")
	key, query := keyNamed(ts, args[0]), ts.ReadFile(filepath.Join("queries", args[1]))
	values := variables(ts, args[2:])
	var answer []byte
	err := harness.Eventually(s.ctx, until, func(ctx context.Context) (bool, error) {
		status, body, err := harness.Ask(ctx, s.server.URL, key, query, values)
		if err != nil {
			return false, err
		}
		answer = body
		if _, err := harness.At(body, "errors"); err == nil && !mayFail {
			return false, errors.New("the server refused the query")
		}
		return until == "" || is(body, until), problemOf(status)
	})
	if err != nil {
		ts.Fatalf("%v\nthe last answer: %s\nthe server: %s", err, answer, s.server.Transcript())
	}
	fmt.Fprintf(ts.Stdout(), "%s\n", answer)
}

// problemOf tells an answer that no story expects.
func problemOf(status int) error {
	if status >= http.StatusInternalServerError {
		return fmt.Errorf("the server answered %d", status)
	}
	return nil
}

// is reports whether an answer meets a condition PATH=VALUE.
func is(answer []byte, condition string) bool {
	path, want, _ := strings.Cut(condition, "=")
	got, err := harness.TextAt(answer, path)
	return err == nil && got == want
}

func postFile(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts, args, 2)
	key, body := keyNamed(ts, args[0]), []byte(readExpanded(ts, args[1]))
	status, answer, err := harness.Post(s.ctx, harness.Single, s.server.URL, key, body)
	ts.Check(err)
	ts.Check(problemOf(status))
	fmt.Fprintf(ts.Stdout(), "%s\n", answer)
	fmt.Fprintf(ts.Stderr(), "%d\n", status)
}

func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	storyOf(ts, args, 2)
	got, err := harness.TextAt([]byte(ts.ReadFile("stdout")), args[0])
	if neg && err == nil && got == args[1] {
		ts.Fatalf("%s = %s, want anything else", args[0], got)
	}
	if neg {
		return
	}
	ts.Check(err)
	if got != args[1] {
		ts.Fatalf("%s = %s, want %s", args[0], got, args[1])
	}
}

func keepJSON(ts *testscript.TestScript, neg bool, args []string) {
	storyOf(ts, args, 2)
	got, err := harness.TextAt([]byte(ts.ReadFile("stdout")), args[1])
	ts.Check(err)
	ts.Setenv(args[0], got)
}

func beginProgram(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts, args, 3)
	path, err := exec.LookPath(args[2])
	ts.Check(err)
	cmd := exec.CommandContext(s.ctx, path, args[3:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environment(ts)
	p, err := harness.StartProcess(cmd)
	ts.Check(err)
	s.processes[args[0]] = p
	_, err = p.WaitFor(&p.Err, regexp.MustCompile(args[1]))
	ts.Check(err)
}

func watchProgram(ts *testscript.TestScript, neg bool, args []string) {
	p := storyOf(ts, args, 2).processes[args[0]]
	found, err := p.WaitFor(&p.Out, regexp.MustCompile(args[1]))
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), found[0])
}

func finishProgram(ts *testscript.TestScript, neg bool, args []string) {
	p := storyOf(ts, args, 1).processes[args[0]]
	err := p.Wait()
	if neg != (err != nil) {
		ts.Fatalf("it ended with: %v", err)
	}
	text, _ := p.Out.Read()
	fmt.Fprint(ts.Stdout(), text)
	text, _ = p.Err.Read()
	fmt.Fprint(ts.Stderr(), text)
}
