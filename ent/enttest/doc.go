// Package enttest gives tests a PostgreSQL of their own.
//
// The server is started from the binaries that are installed, on its first
// use, in a folder of its own, on a free port of 127.0.0.1, with a password
// no other process knows. All tests of one process share it; each call gets an
// empty database that is dropped when its test ends. The server dies with the
// test process, however that ends.
//
//	Postgres         an empty database, quick and forgetful (fsync off)
//	PostgresDurable  an empty database that survives a crash of its server
//	New              a Cluster that one test may stop, crash and start again
//	NewPooler        a PgBouncer in front of any of them
//	Main             for TestMain: stops the servers and looks for leaks
//
// When TEST_POSTGRES_URL is set, Postgres and PostgresDurable make their
// databases on that server instead; its role must be allowed to create
// databases. A Cluster always needs the binaries.
//
// The package starts no goroutines, so that a test may look for its own leaks
// while the server runs. Ask for a database before a testing/synctest bubble
// starts: a server does not live in virtual time.
package enttest
