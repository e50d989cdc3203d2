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
		{Config{"abcdefghijklmno", 1420}, nil},
		{Config{"a.b_c-D9", 1280}, nil},
		{Config{"a", 65535}, nil},
		{Config{"abcdefghijklmnop", 1420}, ErrName},
		{Config{".", 1420}, ErrName},
		{Config{"..", 1420}, ErrName},
		{Config{"all", 1420}, ErrName},
		{Config{"default", 1420}, ErrName},
		{Config{"l2tun%d", 1420}, ErrName},
		{Config{"../../x", 1420}, ErrName},
		{Config{"a b", 1420}, ErrName},
		{Config{"a\x00", 1420}, ErrName},
		{Config{"ä", 1420}, ErrName},
		{Config{"a", 1279}, ErrMTU},
		{Config{"a", 65536}, ErrMTU},
		{Config{"a", -1}, ErrMTU},
	} {
		if err := c.config.check(); !errors.Is(err, c.want) {
			t.Errorf("%+v: got %v, want %v", c.config, err, c.want)
		}
	}
}
