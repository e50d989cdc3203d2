package quicnet

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"sync"
	"time"
)

// certificateLife is how long connections begin with one certificate: long enough
// that a flood of handshakes does not pay for keys, short enough that a scanner
// recognises nobody by it later.
const certificateLife = time.Minute

// certificates are those of our end of TLS: self-signed, a fresh key each, no name,
// and dates that are the same for all, so that they tell nothing about this host.
type certificates struct {
	mu   sync.Mutex
	cert *tls.Certificate
	made time.Time
}

// current is tls.Config.GetCertificate.
func (c *certificates) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.cert == nil || now.Sub(c.made) >= certificateLife {
		fresh, err := newCertificate()
		if err != nil {
			return nil, err
		}
		c.cert, c.made = fresh, now
	}
	return c.cert, nil
}

func newCertificate() (*tls.Certificate, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pub, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
