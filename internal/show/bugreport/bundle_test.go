package bugreport

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func unpack(t *testing.T, b []byte) map[string]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r)
		all[h.Name] = string(text)
	}
}

// Whatever form the key takes, and whatever looks like a secret, is not in the
// bundle; what is next to it is.
func TestNoSecretIsInTheBundle(t *testing.T) {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(200 + i)
	}
	seed := base64.StdEncoding.EncodeToString(raw)
	secret := map[string]string{
		"base64": seed, "unpadded": strings.TrimRight(seed, "="), "url": base64.RawURLEncoding.EncodeToString(raw),
		"hex": hex.EncodeToString(raw), "HEX": strings.ToUpper(hex.EncodeToString(raw)), "raw": string(raw), "numbers": fmt.Sprint(raw),
	}
	var log strings.Builder
	for name, s := range secret {
		fmt.Fprintf(&log, "before %s %s after\n", name, s)
	}
	others := []string{"Zm9yZ290dGVu", "hunter2x", "eyJhbGciOi", "l1stOfTok", "0therSeed", "qu0tedOnce", "in a mess4ge", "hal1f", "0therHal1f"}
	log.WriteString("l2tun-key-v1 " + others[0] + " end\n" + `password = "` + others[1] + `" # a comment` + "\n" +
		`{"invite_token":"` + others[2] + `","peer":"bob"}` + "\ntokens = [\"" + others[3] + "\"]\n" +
		`msg="join: token=\"` + others[5] + `\" refused" more=1` + "\n" + `{"msg":"it said {\"secret\":\"` + others[6] + `\"}","level":"INFO"}` + "\n" +
		`password = "` + others[7] + `\"` + others[8] + `" # two` + "\n" +
		"msg=x psk: " + others[4] + " state=failed\nlink l2tun:join?did=x&token=abc&at=1.2.3.4:5 sent\n")
	var b bytes.Buffer
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	err := Write(&b, "l2tun-report", now, NewCleaner(seed), []File{{"log.txt", []byte(log.String())}, {"config.toml", []byte("interface = \"l2tun0\"\n")}})
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, b.Bytes())
	text := files["l2tun-report/log.txt"]
	for name, s := range secret {
		if strings.Contains(text, s) || !strings.Contains(text, "before "+name+" "+Removed+" after") {
			t.Errorf("%s: %q", name, text)
		}
	}
	for _, s := range append(others, "token=abc", "at=1.2.3.4") {
		if strings.Contains(text, s) {
			t.Errorf("%s is in %q", s, text)
		}
	}
	for _, s := range []string{"# a comment", " refused\" more=1", `"level":"INFO"}`, "# two", `"peer":"bob"`, "state=failed", " end\n", " sent\n"} {
		if !strings.Contains(text, s) {
			t.Errorf("%q is not in %q", s, text)
		}
	}
	if files["l2tun-report/config.toml"] != "interface = \"l2tun0\"\n" {
		t.Error(files)
	}
}

// Of a long file the end is taken.
func TestLongFile(t *testing.T) {
	var b bytes.Buffer
	long := append(bytes.Repeat([]byte("x"), 2*MaxFile), "the end"...)
	if err := Write(&b, "r", time.Now(), NewCleaner(), []File{{"log", long}}); err != nil {
		t.Fatal(err)
	}
	if text := unpack(t, b.Bytes())["r/log"]; len(text) != MaxFile || !strings.HasSuffix(text, "the end") {
		t.Error(len(text))
	}
}

func TestFullDisk(t *testing.T) {
	full := errors.New("no space left on device")
	if err := Write(failing{full}, "r", time.Now(), NewCleaner(), []File{{"a", make([]byte, 1<<20)}}); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
