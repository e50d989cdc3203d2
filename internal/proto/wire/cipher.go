package wire

// A Cipher is the record AEAD of an epoch. It follows from both ends' sealed
// capability by a fixed rule; it is never negotiated.
type Cipher uint8

const (
	ChaCha20Poly1305 Cipher = 1
	AES256GCM        Cipher = 2
)

// ChooseCipher is AES-256-GCM when both ends have AES instructions, else
// ChaCha20-Poly1305 (SPEC section 4).
func ChooseCipher(aesHere, aesThere bool) Cipher {
	if aesHere && aesThere {
		return AES256GCM
	}
	return ChaCha20Poly1305
}

func (c Cipher) String() string {
	switch c {
	case ChaCha20Poly1305:
		return "ChaCha20-Poly1305"
	case AES256GCM:
		return "AES-256-GCM"
	}
	return "unknown"
}
