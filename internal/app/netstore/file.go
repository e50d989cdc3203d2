package netstore

import (
	"fmt"

	"github.com/libertaria-project/l2tun/internal/base/statefile"
	"github.com/libertaria-project/l2tun/network"
)

// read reads the file of one network.
func read(path string, id network.Hash) (*network.State, error) {
	text, info, err := statefile.Read(path, maxSize)
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return nil, fmt.Errorf("others may write it (mode %04o)", perm)
	}
	st, err := network.Load(text)
	if err != nil {
		return nil, err
	}
	if st.ID() != id {
		return nil, fmt.Errorf("it is of network %s", st.ID())
	}
	return st, nil
}
