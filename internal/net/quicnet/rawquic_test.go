//go:build faults

package quicnet

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// A rawQUIC is one end of a QUIC connection that sends whatever frames a test
// wants: TLS is the standard library's, the rest as little of RFC 9000 and 9001 as
// gets through a handshake. It acknowledges nothing.
type rawQUIC struct {
	t        testing.TB
	c        *net.UDPConn
	to       netip.AddrPort
	server   bool
	tls      *tls.QUICConn
	dst, src []byte // connection ids: the peer's, ours
	spaces   [4]rawSpace
	done     bool   // TLS is
	closed   error  // the peer has closed
	phase    byte   // key phase bit of what is sent
	secret   []byte // of 1-RTT packets sent, for key updates
	first    []byte // a client's handshake bytes, to send again after a Retry
	token    []byte // of a Retry
	early    []byte // frames for the first 1-RTT packet that can be sent
}

// A rawSpace is the keys and numbers of one TLS level.
type rawSpace struct {
	read, write *rawKeys
	number      uint32
	sent        uint64 // bytes of CRYPTO sent
	got         uint64 // bytes of CRYPTO received in order
	later       map[uint64][]byte
}

type rawKeys struct {
	aead   cipher.AEAD
	iv     []byte
	header cipher.Block
}

func expandLabel(secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(info, byte(6+len(label))), "tls13 "+label...)
	out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	if err != nil {
		panic(err)
	}
	return out
}

func newRawKeys(secret []byte) *rawKeys {
	block, err := aes.NewCipher(expandLabel(secret, "quic key", 16))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	header, err := aes.NewCipher(expandLabel(secret, "quic hp", 16))
	if err != nil {
		panic(err)
	}
	return &rawKeys{aead, expandLabel(secret, "quic iv", 12), header}
}

// initialKeys are those of the first packets, client's and server's.
func initialKeys(dst []byte) (client, server *rawKeys) {
	salt := []byte{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a}
	secret, err := hkdf.Extract(sha256.New, dst, salt)
	if err != nil {
		panic(err)
	}
	return newRawKeys(expandLabel(secret, "client in", 32)), newRawKeys(expandLabel(secret, "server in", 32))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// rawConfig is TLS as the product does it.
func rawConfig(t testing.TB) *tls.Config {
	t.Helper()
	c, err := tlsConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.SessionTicketsDisabled = true
	return c
}

// rawDial completes a handshake with a listener. The parameters are QUIC's
// transport parameters beyond those that it must have.
func rawDial(t testing.TB, to netip.AddrPort, parameters []byte) *rawQUIC {
	t.Helper()
	q := rawDialFrom(t, loopback.Addr(), to, parameters)
	if q.closed != nil {
		t.Fatal(q.closed)
	}
	return q
}

// rawDialFrom is rawDial from an address of ours. It goes through a Retry, and
// returns when the listener has refused, too.
func rawDialFrom(t testing.TB, from netip.Addr, to netip.AddrPort, parameters []byte) *rawQUIC {
	t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	q := &rawQUIC{t: t, c: c, to: to, dst: randomBytes(8), src: randomBytes(8)}
	q.spaces[0].write, q.spaces[0].read = initialKeys(q.dst)
	q.tls = tls.QUICClient(&tls.QUICConfig{TLSConfig: rawConfig(t)})
	t.Cleanup(func() { q.tls.Close() }) // of one that was refused
	q.start(parameters)
	q.run(func() bool { return q.closed != nil || q.done && q.spaces[3].write != nil })
	if q.closed != nil {
		return q
	}
	q.send(3, []byte{1}) // PING: the listener sees that the handshake is complete
	return q
}

// rawAccept answers the first dial that comes to c.
func rawAccept(t testing.TB, c *net.UDPConn, parameters, early []byte) *rawQUIC {
	t.Helper()
	buf := make([]byte, 2000)
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	dst := buf[6 : 6+buf[5]]
	src := buf[7+len(dst) : 7+len(dst)+int(buf[6+len(dst)])]
	q := &rawQUIC{t: t, c: c, to: from, server: true, dst: append([]byte(nil), src...), src: randomBytes(8), early: early}
	q.src[0] &= 0x7F
	q.spaces[0].read, q.spaces[0].write = initialKeys(dst)
	q.tls = tls.QUICServer(&tls.QUICConfig{TLSConfig: rawConfig(t)})
	original := append([]byte{0, byte(len(dst))}, dst...)
	q.start(append(original, parameters...))
	q.datagram(buf[:n])
	return q
}

func (q *rawQUIC) start(parameters []byte) {
	q.t.Helper()
	p := append([]byte{0x0f, byte(len(q.src))}, q.src...)
	for id, v := range map[byte]uint32{0x04: 1 << 24, 0x05: 1 << 20, 0x06: 1 << 20, 0x08: 100} { // data, streams
		p = append(p, id, 4)
		p = binary.BigEndian.AppendUint32(p, v|0x80000000)
	}
	q.tls.SetTransportParameters(append(p, parameters...))
	if err := q.tls.Start(context.Background()); err != nil {
		q.t.Fatal(err)
	}
	q.events()
}

// events does what TLS asks for.
func (q *rawQUIC) events() {
	q.t.Helper()
	for {
		switch e := q.tls.NextEvent(); e.Kind {
		case tls.QUICNoEvent:
			return
		case tls.QUICSetReadSecret:
			q.spaces[e.Level].read = newRawKeys(e.Data)
		case tls.QUICSetWriteSecret:
			q.spaces[e.Level].write = newRawKeys(e.Data)
			if e.Level == tls.QUICEncryptionLevelApplication {
				q.secret = append([]byte(nil), e.Data...)
			}
		case tls.QUICWriteData:
			q.crypto(int(e.Level), e.Data)
		case tls.QUICHandshakeDone:
			q.done = true
		}
	}
}

// crypto sends handshake bytes in datagrams of 1200.
func (q *rawQUIC) crypto(level int, b []byte) {
	q.t.Helper()
	s := &q.spaces[level]
	if level == 0 && !q.server {
		q.first = append(q.first, b...)
	}
	for len(b) > 0 {
		n := min(len(b), 1000)
		q.send(level, cryptoFrame(s.sent, b[:n]))
		s.sent, b = s.sent+uint64(n), b[n:]
	}
	if q.early != nil && q.spaces[3].write != nil {
		q.send(3, q.early)
		q.early = nil
	}
}

func cryptoFrame(offset uint64, b []byte) []byte {
	f := binary.BigEndian.AppendUint64([]byte{6}, offset|0xC000000000000000)
	return append(binary.BigEndian.AppendUint16(f, uint16(len(b))|0x4000), b...)
}

// send seals frames into one packet. Level 0 is Initial, 2 Handshake, 3 1-RTT.
func (q *rawQUIC) send(level int, frames []byte) {
	q.t.Helper()
	s := &q.spaces[level]
	var h []byte
	if level == 3 {
		h = append([]byte{0x43 | q.phase<<2}, q.dst...)
		for len(frames) < 4 {
			frames = append(frames, 0)
		}
	} else {
		if len(frames) < 1170-len(q.token) { // all of them: it is what the peer may send
			frames = append(append([]byte(nil), frames...), make([]byte, 1170-len(q.token)-len(frames))...)
		}
		h = append([]byte{0xC3 | byte(level)<<4, 0, 0, 0, 1, byte(len(q.dst))}, q.dst...)
		h = append(append(h, byte(len(q.src))), q.src...)
		if level == 0 {
			h = append(append(h, byte(len(q.token)>>8)|0x40, byte(len(q.token))), q.token...)
		}
		h = binary.BigEndian.AppendUint16(h, uint16(4+len(frames)+16)|0x4000)
	}
	at := len(h)
	h = binary.BigEndian.AppendUint32(h, s.number)
	nonce := append([]byte(nil), s.write.iv...)
	binary.BigEndian.PutUint32(nonce[8:], binary.BigEndian.Uint32(nonce[8:])^s.number)
	s.number++
	p := s.write.aead.Seal(h, nonce, frames, h)
	var mask [16]byte
	s.write.header.Encrypt(mask[:], p[at+4:at+20])
	p[0] ^= mask[0] & map[bool]byte{true: 0x1F, false: 0x0F}[level == 3]
	for i := range 4 {
		p[at+i] ^= mask[1+i]
	}
	if _, err := q.c.WriteToUDPAddrPort(p, q.to); err != nil && q.closed == nil {
		q.closed = err
	}
}

// update begins the next key phase.
func (q *rawQUIC) update() {
	q.secret = expandLabel(q.secret, "quic ku", 32)
	header := q.spaces[3].write.header
	q.spaces[3].write = newRawKeys(q.secret)
	q.spaces[3].write.header = header // it stays
	q.phase ^= 1
}

// run reads until done says so; the handshake has 30 s. Silence means that the
// peer waits for us: it may not send more than it got.
func (q *rawQUIC) run(done func() bool) {
	q.t.Helper()
	buf := make([]byte, 2000)
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if err := q.c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			q.t.Fatal(err)
		}
		n, _, err := q.c.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			q.datagram(buf[:n])
		case time.Now().After(deadline):
			q.t.Fatalf("raw QUIC: %v", err)
		case q.spaces[2].write != nil:
			q.send(2, []byte{1}) // something was lost: the peer sends it again
		default:
			q.send(0, []byte{1})
		}
	}
}

// drain reads for a moment, and reports whether the peer has closed.
func (q *rawQUIC) drain(d time.Duration) bool {
	q.t.Helper()
	buf := make([]byte, 2000)
	for deadline := time.Now().Add(d); q.closed == nil; {
		if err := q.c.SetReadDeadline(deadline); err != nil {
			q.t.Fatal(err)
		}
		n, _, err := q.c.ReadFromUDPAddrPort(buf)
		if err != nil {
			break
		}
		q.datagram(buf[:n])
	}
	return q.closed != nil
}

// datagram opens the packets in it.
func (q *rawQUIC) datagram(b []byte) {
	q.t.Helper()
	for len(b) > 20 {
		level, at, end := 3, 1+len(q.src), len(b)
		if b[0]&0x80 != 0 {
			level = int(b[0] >> 4 & 3)
			dst := int(b[5])
			src := b[7+dst : 7+dst+int(b[6+dst])]
			at = 7 + dst + len(src)
			if level == 3 { // a Retry: the token, and a tag of 16 bytes
				q.retry(src, b[at:len(b)-16])
				return
			}
			if !q.server || q.spaces[0].got == 0 {
				q.dst = append([]byte(nil), src...)
			}
			if level == 0 {
				at += 1 + int(b[at]) // a short token or none
			}
			length, n := varint(b[at:])
			at += n
			end = min(at+int(length), len(b))
		}
		if s := &q.spaces[level]; s.read != nil && end-at > 20 {
			q.open(level, b[:end], at)
		}
		b = b[end:]
	}
}

// retry begins anew with a token.
func (q *rawQUIC) retry(src, token []byte) {
	if q.token != nil {
		return
	}
	q.dst, q.token = append([]byte(nil), src...), append([]byte(nil), token...)
	s := &q.spaces[0]
	s.write, s.read = initialKeys(q.dst)
	first := q.first
	s.sent, q.first = 0, nil
	q.crypto(0, first)
}

// open opens one packet whose number is at some place; what does not open is not
// for us.
func (q *rawQUIC) open(level int, b []byte, at int) {
	q.t.Helper()
	s := &q.spaces[level]
	var mask [16]byte
	s.read.header.Encrypt(mask[:], b[at+4:at+20])
	first := b[0] ^ mask[0]&map[bool]byte{true: 0x1F, false: 0x0F}[level == 3]
	size := int(first&3) + 1
	head := append([]byte{first}, b[1:at+size]...)
	number := uint32(0)
	for i := range size {
		head[at+i] ^= mask[1+i]
		number = number<<8 | uint32(head[at+i])
	}
	nonce := append([]byte(nil), s.read.iv...)
	binary.BigEndian.PutUint32(nonce[8:], binary.BigEndian.Uint32(nonce[8:])^number)
	if plain, err := s.read.aead.Open(nil, nonce, b[at+size:], head); err == nil {
		q.frames(level, plain)
	}
}

// frames looks for handshake bytes and for the end; it stops at what it does not
// know, which comes only behind these.
func (q *rawQUIC) frames(level int, b []byte) {
	q.t.Helper()
	next := func() uint64 { v, n := varint(b); b = b[n:]; return v }
	for len(b) > 0 {
		switch kind := next(); kind {
		case 0, 1, 0x1e: // padding, ping, done
		case 2, 3:
			next()
			next()
			for ranges := 2*next() + 1; ranges > 0; ranges-- {
				next()
			}
			for ecn := 3 * (kind - 2); ecn > 0; ecn-- {
				next()
			}
		case 6:
			offset, n := next(), next()
			q.handshakeBytes(level, offset, b[:n])
			b = b[n:]
		case 0x1c, 0x1d:
			q.closed = errors.New("closed by the peer")
			return
		default:
			return
		}
	}
}

func (q *rawQUIC) handshakeBytes(level int, offset uint64, b []byte) {
	q.t.Helper()
	s := &q.spaces[level]
	if s.later == nil {
		s.later = make(map[uint64][]byte)
	}
	s.later[offset] = append([]byte(nil), b...)
	for piece := s.later[s.got]; piece != nil; piece = s.later[s.got] {
		delete(s.later, s.got)
		s.got += uint64(len(piece))
		if err := q.tls.HandleData(tls.QUICEncryptionLevel(level), piece); err != nil {
			q.closed = err
			return
		}
		q.events()
	}
}

func varint(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, len(b)
	}
	v = uint64(b[0] & 0x3F)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, n
}
