//go:build !linux

package config

import "os"

func readOnly(*os.File) bool { return false }
