package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen listens on the address that a person gave with the flag. When it can't,
// the error says why and, when the address is taken, what to do.
func Listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err == nil {
		return listener, nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without "listen tcp" and the address again
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno // without the name of the system call
	}
	err = fmt.Errorf("can't listen on %s: %w", addr, err)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w; stop the program that uses it, or choose another address with %s", err, flag)
	}
	return nil, err
}

// checkAddress refuses a value of the flag that is not an address to listen on.
func checkAddress(ctx context.Context, flag, addr, example string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%s must be an address such as 127.0.0.1%s or %s, not %q", flag, example, example, addr)
	}
	return nil
}
