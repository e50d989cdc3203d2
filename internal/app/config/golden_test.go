package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/faults"
)

var update = flag.Bool("update", false, "write the messages that testdata/bad gets into it")

// Each file in testdata/bad has one thing wrong; its first line is a comment
// with the message it must get, after the file's name; {carriers} stands for the
// names of all.
func TestBadFilesAreRefusedWithPlaceAndReason(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 90 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, rest, _ := bytes.Cut(data, []byte("\n"))
			want := strings.ReplaceAll(strings.TrimPrefix(string(first), "# "), "{carriers}", link.Listed())
			_, err = Load(file)
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.TrimPrefix(err.Error(), file+":")
			if *update {
				got = strings.ReplaceAll(got, link.Listed(), "{carriers}")
				os.WriteFile(file, append([]byte("# "+got+"\n"), rest...), 0o644)
				return
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	faults.Report(t, "I2", true, "a prefix of two peers is refused with both lines")
	faults.Report(t, "C9", true, "%d bad files refused with line and column", len(files))
}
