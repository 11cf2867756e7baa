package app

import (
	"errors"
	"fmt"
	"strings"
)

// development reports whether the server runs in development mode: for this
// machine alone, with nothing to set up. Whatever lets other machines reach the
// server, or is set up for production, turns it off.
func (c *Settings) development() bool {
	return c.Development || !c.Production && c.exposing() == "" && c.lasting() == ""
}

// exposing returns the first setting that lets other machines reach the server,
// or that is needed only where they do.
func (c *Settings) exposing() string {
	switch {
	case !isLoopback(c.Listen):
		return "--listen " + c.Listen
	case c.PublicURL != nil && !isLoopback(c.PublicURL.Hostname()+":0"):
		return "--public-url"
	case len(c.TrustedProxies) > 0:
		return "--trusted-proxies"
	case c.TLSCert != "" || c.TLSKey != "":
		return "--tls-cert"
	}
	return ""
}

// lasting returns the first setting that stands for data of production.
func (c *Settings) lasting() string {
	switch {
	case strings.HasPrefix(c.Database, "postgres"):
		return "PostgreSQL as the --database"
	case c.EncryptionKeyFile != "":
		return "--encryption-key-file"
	}
	return ""
}

// checkMode refuses settings of both modes.
func (c *Settings) checkMode() error {
	if !c.Development {
		return nil
	}
	if c.Production {
		return errors.New("--development and --production exclude each other: leave one out")
	}
	if setting := c.exposing(); setting != "" {
		return fmt.Errorf("--development is for a server that only this machine reaches: leave out %s", setting)
	}
	return nil
}

// whyProduction says, as the beginning of a sentence, which setting turned
// development mode off, unless that is the purpose of the setting.
func (c *Settings) whyProduction() string {
	if c.Production {
		return ""
	}
	if setting := c.exposing(); setting != "" {
		return setting + " turns development mode off, and "
	}
	return c.lasting() + " turns development mode off (--development keeps it), and "
}
