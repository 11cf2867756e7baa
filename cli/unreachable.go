package cli

import (
	"errors"
	"fmt"
	"net/url"
	"syscall"
)

// unreachable says which server could not be reached, why, and where the URL
// comes from. Every command that calls a server has the flag and the variable.
func unreachable(server string, err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the method and the URL
	}
	if u, err := url.Parse(server); err == nil {
		server = u.Redacted()
	}
	advice := ""
	if errors.Is(err, syscall.ECONNREFUSED) {
		err, advice = syscall.ECONNREFUSED, "; is it running?"
	}
	return fmt.Errorf("can't reach the server at %s: %w%s (--url or PORTALHOOKS_URL says where it is)",
		server, err, advice)
}
