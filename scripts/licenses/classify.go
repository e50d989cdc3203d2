package main

import "strings"

// A family of licences is known by phrases that all its texts have, white space
// aside. Order matters: the first whose phrases are there names the text, so
// those that contain others stand before them.
type family struct {
	name    string
	phrases []string
	use     use
}

// use says where a licence may appear.
type use int

const (
	anywhere   use = iota // permissive: in the program
	unshipped             // with conditions on what is passed on: in tests and tools only
	forbidden             // nowhere
	unknownUse            // nobody has read it
)

const bsdStart = "Redistribution and use in source and binary forms"

func families() []family {
	return []family{
		{"BSD-3-Clause OR GPL-2.0-only", []string{"SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only"}, anywhere},
		{"BSD-3-Clause OR GPL-2.0-only", []string{"The licensed conditions are one or the other of these two Licenses: - BSD 3-clause - GPL v2.0"}, anywhere},
		{"FTL OR GPL-2.0-or-later", []string{"subject to your choice of exactly one of the following two licenses: * The FreeType License"}, anywhere},
		{"AGPL", []string{"GNU AFFERO GENERAL PUBLIC LICENSE Version 3"}, forbidden},
		{"LGPL", []string{"GNU LESSER GENERAL PUBLIC LICENSE Version"}, forbidden},
		{"MPL-2.0", []string{"Mozilla Public License Version 2.0"}, unshipped},
		{"GPL", []string{"GNU GENERAL PUBLIC LICENSE Version"}, forbidden},
		{"SSPL or BUSL", []string{"Server Side Public License"}, forbidden},
		{"SSPL or BUSL", []string{"Business Source License"}, forbidden},
		{"MIT AND Apache-2.0", []string{"Permission is hereby granted, free of charge", "Apache License, Version 2.0"}, anywhere},
		{"MIT AND BSD-3-Clause", []string{"Permission is hereby granted, free of charge", bsdStart, "Neither the name"}, anywhere},
		{"Apache-2.0", []string{"Apache License Version 2.0, January 2004"}, anywhere},
		{"CC0-1.0", []string{"CC0 1.0 Universal"}, anywhere},
		{"CC-BY-4.0", []string{"Creative Commons Attribution 4.0"}, unshipped},
		{"OFL-1.1", []string{"SIL OPEN FONT LICENSE Version 1.1"}, unshipped},
		{"Unlicense", []string{"This is free and unencumbered software released into the public domain"}, anywhere},
		{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided"}, anywhere},
		{"ISC", []string{"Permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted, provided"}, anywhere},
		{"MIT", []string{"Permission is hereby granted, free of charge", "THE SOFTWARE IS PROVIDED"}, anywhere},
		{"BSD-3-Clause", []string{bsdStart, "Neither the name"}, anywhere},
		{"BSD-3-Clause", []string{bsdStart, "The name of any author may not be used to endorse"}, anywhere},
		{"BSD-3-Clause", []string{bsdStart, "may be used to endorse or promote products"}, anywhere},
		{"BSD-2-Clause", []string{bsdStart, "THIS SOFTWARE IS PROVIDED"}, anywhere},
	}
}

// classify names a licence text; unknown text is of unknown use.
func classify(text string) (string, use) {
	flat := strings.Join(strings.Fields(text), " ")
	lower := strings.ToLower(flat)
	for _, f := range families() {
		all := true
		for _, p := range f.phrases {
			all = all && strings.Contains(lower, strings.ToLower(p))
		}
		if all {
			return f.name, f.use
		}
	}
	return "unknown", unknownUse
}
