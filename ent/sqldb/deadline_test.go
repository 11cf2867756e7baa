package sqldb

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A wait for PostgreSQL on a connection that leads nowhere fails, and the
// handshake keeps the driver's own deadline.
func TestAConnectionWithoutAnAnswerIsGivenUp(t *testing.T) {
	for name, tt := range map[string]struct {
		driver, want time.Duration
	}{
		"a statement":   {want: answerTimeout},
		"the handshake": {driver: 3 * time.Second, want: 3 * time.Second},
		"later":         {driver: time.Hour, want: answerTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer near.Close()
				defer far.Close()
				c := &deadlineConn{Conn: near, dialer: newDeadlineDialer()}
				began := time.Now()
				if tt.driver > 0 {
					if err := c.SetDeadline(began.Add(tt.driver)); err != nil {
						t.Fatal(err)
					}
				}
				_, err := c.Read(make([]byte, 1))
				if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took != tt.want {
					t.Errorf("Read gave %v after %s, want a deadline after %s", err, took, tt.want)
				}
				if !IsLost(err) {
					t.Errorf("%v does not count as a lost connection", err)
				}
			})
		})
	}
}

// A migration may take longer than any other statement.
func TestMigrationsMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := &deadlineConn{Conn: near, dialer: newDeadlineDialer()}
		c.dialer.patient.Store(true)
		time.AfterFunc(10*answerTimeout, func() { _, _ = far.Write([]byte("x")) })
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
}
