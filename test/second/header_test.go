package second

import (
	"bytes"
)

// Types of messages, and their sizes (SPEC 5.1 "Messages").
const (
	typeKeysReq, sizeKeysReq             = 1, 80
	typeKeys, sizeKeys                   = 2, 7905
	typeUnknownPrekey, sizeUnknownPrekey = 4, 16
	typeM1, sizeM1                       = 5, 4752
	typeM2, sizeM2                       = 6, 2336
	typeM3, sizeM3                       = 7, 112
	typeRefused, sizeRefused             = 8, 41
	typeM1r, sizeM1r                     = 9, 1272
	typeM2r, sizeM2r                     = 10, 1176
	typeM3r, sizeM3r                     = 11, 40
	typeUnknown, sizeUnknown             = 12, 16
)

// A link is what mode and bytes 6-7 and 12-15 of a header say.
type link struct {
	mode byte
	low  []byte // bytes 6-7
	high []byte // bytes 12-15
}

func full(prekeyID int) link { return link{0, le16(0), le32(prekeyID)} }

func rotation(attempt, epoch int) link { return link{1, le16(attempt), le32(epoch)} }

func resumption(id []byte) link { return link{2, id[:2], id[2:6]} }

// header is the first 16 bytes of a message.
func header(kind byte, size int, l link) []byte {
	return join([]byte{kind, 1}, le16(4), []byte{l.mode, 0}, l.low, le32(size), l.high)
}

// check says whether msg is of a type, with exactly this header.
func check(msg []byte, kind byte, size int, l link) error {
	if len(msg) != size || !bytes.Equal(msg[:16], header(kind, size, l)) {
		return errForm
	}
	return nil
}
