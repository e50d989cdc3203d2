package network

import (
	"errors"
	"fmt"
)

// A Code names why a document was refused, or what a finding is about. Codes are stable:
// programs compare them, people search for them.
type Code string

// A bundle or its signatures are refused.
const (
	TooLarge           Code = "too_large"            // over MaxBundle bytes
	TooManySignatures  Code = "too_many_signatures"  // over MaxSignatureLines lines
	NotASCII           Code = "not_ascii"            // a byte that is no printable ASCII
	NoteForm           Code = "note_form"            // not text, signatures and keys
	SignatureForm      Code = "signature_form"       // a signature line of another form or length
	UnknownKeyType     Code = "unknown_key_type"     // a signature by a key that the signer does not have
	SignatureMissing   Code = "signature_missing"    // one of a signer's two lines is missing
	SignatureDuplicate Code = "signature_duplicate"  // a line stands twice
	SignatureOrder     Code = "signature_order"      // lines are not in the one order
	SignatureInvalid   Code = "signature_invalid"    // a signature is not of this text and key
	KeysForm           Code = "keys_form"            // a line of keys of another form
	KeysMissing        Code = "keys_missing"         // no keys of a signer
	KeysUnused         Code = "keys_unused"          // keys of nobody who signs
	KeysNotOfSigner    Code = "keys_not_committed"   // the ML-DSA-65 key is not the one that the key set commits to
	Syntax             Code = "syntax"               // a line that the grammar does not have
	NotCanonical       Code = "not_canonical"        // another form of what has one form
	Duplicate          Code = "duplicate"            // named twice
	TooMany            Code = "too_many"             // more entries than there may be
	BadThreshold       Code = "bad_threshold"        // zero, or more than there are admins
	BadPrefix          Code = "bad_prefix"           // reserved, or of two issuers
	SuccessionLoop     Code = "succession_loop"      // DIDs that succeed each other
	SuccessionConflict Code = "succession_conflict"  // two successors of one DID, or a role of one that has a successor
	TooManyRanges      Code = "too_many_port_ranges" // a destination could need more than the filter has
)

// A document of sound form is refused.
const (
	OtherNetwork    Code = "other_network"
	NoHead          Code = "no_head"           // before head 1
	Rollback        Code = "rollback"          // older than what is held
	NetworkFork     Code = "network_fork"      // two heads of one serial
	RestoredAdmin   Code = "restored_admin"    // a new head with a serial that is used up
	RosterFork      Code = "roster_fork"       // two rosters of one serial
	ThresholdNotMet Code = "threshold_not_met" // too few admins of the held head have signed
	MissedHeads     Code = "missed_heads"      // signed by admins of heads between
	NotIssuer       Code = "not_issuer"
	NotEntitled     Code = "not_entitled" // neither an admin nor an issuer removes
	WrongSigner     Code = "wrong_signer" // not signed by exactly whom it names
	IssuerRemoved   Code = "issuer_removed"
	Succeeded       Code = "succeeded" // signed by a DID that has a successor
	OtherHash       Code = "other_hash"
)

// What a State shows of documents that it holds.
const (
	OutsideScope    Code = "outside_scope"
	NameTaken       Code = "name_taken"
	AddressTaken    Code = "address_taken"
	MemberTwice     Code = "member_twice"
	RouteCollision  Code = "route_collision"
	AdminNotRemoved Code = "admin_not_removed" // only the threshold removes an admin
	RemovalsWait    Code = "removals_wait"     // more than the limit: a person confirms
	MemberExpires   Code = "member_expires"
	MemberExpired   Code = "member_expired"
	OldDocuments    Code = "old_documents" // nothing heard of the network for long
	ClockDiffers    Code = "clock_differs" // a document is issued later than this clock says
	BadState        Code = "bad_state"     // the file of a State is damaged
)

// A Refusal is the error of everything that reads a document.
type Refusal struct {
	Code        Code
	Line        int // of the document, from 1; 0 for no certain one
	Text        string
	First, Last uint64 // of MissedHeads: the serials to fetch, in this order
}

// Error is one sentence with the code.
func (r *Refusal) Error() string {
	if r.Line > 0 {
		return fmt.Sprintf("network: %s: line %d: %s", r.Code, r.Line, r.Text)
	}
	return fmt.Sprintf("network: %s: %s", r.Code, r.Text)
}

// CodeOf is the code of an error; empty for none and for others.
func CodeOf(err error) Code {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func refuse(c Code, format string, args ...any) error { return refuseAt(0, c, format, args...) }

func refuseAt(line int, c Code, format string, args ...any) error {
	return &Refusal{Code: c, Line: line, Text: fmt.Sprintf(format, args...)}
}
