package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListIsCurrentAndAllMayBeUsed reads the real go.mod and module cache.
func TestListIsCurrentAndAllMayBeUsed(t *testing.T) {
	t.Chdir("../..")
	var now bytes.Buffer
	if err := run(&now, false); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("docs/licenses.md")
	if err != nil || !bytes.Equal(kept, now.Bytes()) {
		t.Errorf("docs/licenses.md is not current (%v); run: go run ./scripts/licenses > docs/licenses.md", err)
	}
}

func TestTextsAreThoseOfTheProgram(t *testing.T) {
	t.Chdir("../..")
	var b bytes.Buffer
	if err := run(&b, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\ngithub.com/quic-go/quic-go v", "\ngithub.com/cloudflare/circl v", "WARRANT"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(b.String(), "pgregory.net/rapid") {
		t.Error("texts of what only tests use")
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		text, name string
		use        use
	}{
		{"MIT License\nPermission is hereby granted,\n free of charge, ... THE SOFTWARE IS PROVIDED", "MIT", anywhere},
		{"Redistribution and use in source and binary forms ... THIS SOFTWARE IS PROVIDED", "BSD-2-Clause", anywhere},
		{"Redistribution and use in source and binary forms ... Neither the name of ...", "BSD-3-Clause", anywhere},
		{"  Apache License\n   Version 2.0, January 2004", "Apache-2.0", anywhere},
		{"Mozilla Public License Version 2.0 ... GNU General Public License, Version 2.0", "MPL-2.0", unshipped},
		{"GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "GPL", forbidden},
		{"GNU LESSER GENERAL PUBLIC LICENSE\n Version 3", "LGPL", forbidden},
		{"GNU AFFERO GENERAL PUBLIC LICENSE Version 3 ... GNU General Public License version 3", "AGPL", forbidden},
		{"All rights reserved.", "unknown", unknownUse},
		{"", "unknown", unknownUse},
	} {
		if name, use := classify(c.text); name != c.name || use != c.use {
			t.Errorf("%q: %s, %d", c.text, name, use)
		}
	}
}

func TestModulesThatMayNotBeUsedAreNamed(t *testing.T) {
	folder := func(file, text string) string {
		dir := t.TempDir()
		if file == "" {
			return dir
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	mods := []*module{
		{Path: "good", Shipped: true, Dir: folder("Licence.md", "Apache License Version 2.0, January 2004")},
		{Path: "weak", Dir: folder("COPYING", "Mozilla Public License Version 2.0")},
		{Path: "weak-linked", Shipped: true, Dir: folder("LICENSE", "Mozilla Public License Version 2.0")},
		{Path: "strong", Dir: folder("LICENSE", "GNU GENERAL PUBLIC LICENSE Version 2")},
		{Path: "silent", Dir: folder("", "")},
	}
	for _, m := range mods {
		if err := m.read(); err != nil {
			t.Fatal(err)
		}
	}
	err := check(mods)
	if err == nil {
		t.Fatal("all of them may be used")
	}
	for path, named := range map[string]bool{"good ": false, "weak ": false, "weak-linked ": true, "strong ": true, "silent ": true} {
		if strings.Contains("\n"+err.Error(), "\n"+path) != named {
			t.Errorf("%s: %v", path, err)
		}
	}
}
