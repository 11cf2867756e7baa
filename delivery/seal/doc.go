// Package seal encrypts small secrets for storage in a database.
//
// A sealed secret is an envelope: AES-256-GCM with a random nonce, and the id of
// its key. Additional data (see AAD) bind an envelope to its row, so that a copy in
// another webhook's row cannot be opened. A Keyring holds several keys for
// rotation: the first seals, all of them open.
//
// The format of an envelope is
//
//	1 byte    version, 1
//	1 byte    n, the length of the key's id
//	n bytes   the key's id
//	12 bytes  nonce
//	rest      ciphertext and tag
package seal
