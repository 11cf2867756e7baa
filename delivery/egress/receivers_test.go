package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// receiversSetting marks a process that is nothing but receivers, so that what
// they take is no part of what is measured.
const receiversSetting = "EGRESS_RECEIVERS"

// A hanging says what receivers do. With a certificate they speak TLS.
type hanging struct {
	Head        []byte
	Certificate [][]byte
	Key         []byte // PKCS #8
}

// hangElsewhere starts a process whose receivers answer every call with a head
// and hang until hangUp is called.
func hangElsewhere(t *testing.T, what hanging) (address string, hangUp func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // the end of its input ends it
	cmd := exec.CommandContext(ctx, must(os.Executable()), "-test.run=^TestHangingReceivers$")
	cmd.Env = append(os.Environ(), receiversSetting+"=1")
	cmd.Stderr = os.Stderr
	in, out := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the receivers: %v", err)
		}
	})
	if err := json.NewEncoder(in).Encode(what); err != nil {
		t.Fatal(err)
	}
	address = strings.TrimSpace(must(bufio.NewReader(out).ReadString('\n')))
	return address, func() { _ = in.Close() }
}

// This is the process that hangElsewhere starts, and nothing otherwise.
func TestHangingReceivers(t *testing.T) {
	if os.Getenv(receiversSetting) == "" {
		return
	}
	var what hanging
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&what); err != nil {
		t.Fatal(err)
	}
	listener := listen(t)
	if what.Certificate != nil {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{
			{Certificate: what.Certificate, PrivateKey: must(x509.ParsePKCS8PrivateKey(what.Key))},
		}})
	}
	fmt.Println(serveFaultOver(t, listener, sayAndHang(string(what.Head))))
	if err := in.Decode(&what); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}
