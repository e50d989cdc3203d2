package tun

import (
	"errors"
	"testing"
)

func TestConfigDefaultsAreUsable(t *testing.T) {
	c := Config{}.withDefaults()
	if c.Name != "l2tun0" || c.MTU != 1420 {
		t.Fatalf("defaults are %+v", c)
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
}

func TestConfigRefusesNamesAndMTUs(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   error
	}{
		{Config{Name: "abcdefghijklmno", MTU: 1420}, nil},
		{Config{Name: "a.b_c-D9", MTU: 1280}, nil},
		{Config{Name: "a", MTU: 65535}, nil},
		{Config{Name: "abcdefghijklmnop", MTU: 1420}, ErrName},
		{Config{Name: ".", MTU: 1420}, ErrName},
		{Config{Name: "..", MTU: 1420}, ErrName},
		{Config{Name: "lo", MTU: 1420}, ErrName},
		{Config{Name: "all", MTU: 1420}, ErrName},
		{Config{Name: "default", MTU: 1420}, ErrName},
		{Config{Name: "l2tun%d", MTU: 1420}, ErrName},
		{Config{Name: "../../x", MTU: 1420}, ErrName},
		{Config{Name: "a b", MTU: 1420}, ErrName},
		{Config{Name: "a\x00", MTU: 1420}, ErrName},
		{Config{Name: "ä", MTU: 1420}, ErrName},
		{Config{Name: "a", MTU: 1279}, ErrMTU},
		{Config{Name: "a", MTU: 65536}, ErrMTU},
		{Config{Name: "a", MTU: -1}, ErrMTU},
	} {
		if err := c.config.check(); !errors.Is(err, c.want) {
			t.Errorf("%+v: got %v, want %v", c.config, err, c.want)
		}
	}
}
