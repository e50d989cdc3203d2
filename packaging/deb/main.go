// Command deb makes a Debian package as an nfpm config says, and prints its
// name. It is nfpm's own command with the one format that is needed: the others
// bring modules that are not.
//
//	deb CONFIG FOLDER
//
// Variables in the config come from the environment, times from
// SOURCE_DATE_EPOCH. The file appears in FOLDER whole or not at all.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: deb CONFIG FOLDER")
		os.Exit(2)
	}
	file, err := run(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "deb:", err)
		os.Exit(1)
	}
	fmt.Println(file)
}

func run(config, folder string) (file string, err error) {
	c, err := nfpm.ParseFile(config)
	if err != nil {
		return "", err
	}
	info, err := c.Get("deb")
	if err != nil {
		return "", err
	}
	info = nfpm.WithDefaults(info)
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return "", err
	}
	file = filepath.Join(folder, deb.Default.ConventionalFileName(info))
	return file, write(file, info)
}

func write(file string, info *nfpm.Info) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".deb-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = deb.Default.Package(info, f)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
