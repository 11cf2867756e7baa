// Package seal encrypts small secrets for a database.
//
// A sealed secret is an envelope: AES-256-GCM with a random nonce, and the id
// of the key that made it. Envelopes are bound to their place by additional
// data (see AAD), so one that is copied to another webhook's row does not open
// there. A Keyring holds several keys to let operators change them: the first
// one seals, all of them open.
//
// The envelope's bytes are
//
//	1 byte    version, 1
//	1 byte    n, the length of the key's id
//	n bytes   the key's id
//	12 bytes  nonce
//	rest      ciphertext and tag
package seal
