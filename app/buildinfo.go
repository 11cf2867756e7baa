package app

import "runtime/debug"

// Version returns the module's version, with the commit where the build knows
// it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
