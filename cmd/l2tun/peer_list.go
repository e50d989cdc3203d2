package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
)

// PeerListOptions are the flags of l2tun peer list.
type PeerListOptions struct {
	IO
	*target
	JSON bool
}

// listedPeer is a peer as the config has it.
type listedPeer struct {
	control.Stamp
	DID        string   `json:"did"`
	Name       string   `json:"name"`
	Address    string   `json:"address"`
	Endpoints  []string `json:"endpoints"`
	AllowedIPs []string `json:"allowed_ips"` // the address among them
	Hub        bool     `json:"hub"`         // it helps this node to meet others
	Invites    bool     `json:"invites"`     // whom it invites becomes a peer here too
}

func newPeerListCmd(o *PeerListOptions, runF func(context.Context, *PeerListOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the peers in the config",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

func runPeerList(ctx context.Context, o *PeerListOptions) error {
	peers, err := o.peers(ctx)
	if err != nil {
		return err
	}
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(peers)
	}
	for i, p := range peers {
		if i > 0 {
			fmt.Fprintln(o.Out)
		}
		printListed(newPrinter(o.IO), p)
	}
	return nil
}

// peers are those of the config; of one that is broken, those of the node that
// runs with what it read before.
func (o *PeerListOptions) peers(ctx context.Context) ([]listedPeer, error) {
	c, broken := config.Load(o.configPath())
	if broken == nil {
		peers := make([]listedPeer, len(c.Peers))
		for i, p := range c.Peers {
			peers[i] = listed(p)
		}
		return peers, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	s, err := o.connect().Status(ctx)
	if err != nil {
		return nil, broken
	}
	o.warnConfig(o.IO)
	peers := []listedPeer{}
	for i := range s.Peers {
		peers = append(peers, running(&s.Peers[i]))
	}
	return peers, nil
}

// running is a peer as the node has it.
func running(p *control.Peer) listedPeer {
	l := listedPeer{Stamp: control.NewStamp(), DID: p.DID, Name: p.Name, Endpoints: []string{}, AllowedIPs: p.AllowedIPs}
	if p.Endpoint != "" {
		l.Endpoints = append(l.Endpoints, p.Endpoint)
	}
	if d, err := did.Parse(p.DID); err == nil {
		l.Address = d.Addr().String()
	}
	return l
}

func listed(p config.Peer) listedPeer {
	l := listedPeer{Stamp: control.NewStamp(), DID: p.DID.String(), Name: p.Name, Address: p.DID.Addr().String(), Endpoints: []string{}, Hub: p.Hub, Invites: p.Invites}
	l.Endpoints = append(l.Endpoints, p.Endpoints...)
	for _, prefix := range p.AllowedIPs {
		l.AllowedIPs = append(l.AllowedIPs, prefix.String())
	}
	return l
}

func printListed(p *printer, l listedPeer) {
	p.head("peer", p.yellow, l.DID)
	p.field("name", l.Name)
	p.field("endpoints", strings.Join(l.Endpoints, ", "))
	p.field("allowed ips", strings.Join(l.AllowedIPs, ", "))
	if l.Hub {
		p.field("hub", "yes")
	}
	if l.Invites {
		p.field("invites", "yes")
	}
}
