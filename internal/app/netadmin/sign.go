package netadmin

import (
	"fmt"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/network"
)

// Countersign adds the signature of a key to a document, which needs no network and no node.
func Countersign(doc []byte, id *did.Identity) (signed []byte, signers int, err error) {
	n, err := network.Parse(doc)
	if err != nil {
		return nil, 0, plain(err)
	}
	if _, err := network.ParseHead(n.Text); err != nil {
		return nil, 0, fmt.Errorf("only heads have several signers: %w", plain(err))
	}
	if n.SignedBy(id.DID()) {
		return nil, 0, fmt.Errorf("%v has signed it already", id.DID())
	}
	n.Merge(network.Sign(n.Text, id))
	return n.Append(nil), len(n.Signers), nil
}

// Describe is the text of a document, for whoever is about to sign it.
func Describe(doc []byte) (string, error) {
	n, err := network.Parse(doc)
	if err != nil {
		return "", plain(err)
	}
	return n.Text, nil
}
