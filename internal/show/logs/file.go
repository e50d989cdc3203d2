package logs

import (
	"errors"
	"os"
	"sync"
)

// MaxFile is how large a File grows. It and the one before are all there is: the
// folder is memory (/run).
const MaxFile = 1 << 20

// A File is a log of bounded size: when it is full it becomes PATH.1, in place of
// what was there, and a new one begins. One process writes it; it is safe for
// concurrent use.
type File struct {
	o FileOptions

	mu   sync.Mutex
	file *os.File
	size int64
}

// FileOptions say which file.
type FileOptions struct {
	Path    string
	Max     int64                               // bytes; 0: MaxFile
	Open    func(path string) (*os.File, error) // opens it to append, and makes it if need be
	Renewed func(*os.File)                      // told of each new file, so that others can follow; nil: nobody
}

// OpenFile continues a file, or begins one.
func OpenFile(o FileOptions) (*File, error) {
	if o.Max == 0 {
		o.Max = MaxFile
	}
	f, err := o.Open(o.Path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{o: o, file: f, size: info.Size()}, nil
}

// Write implements io.Writer. A line is never cut: it goes to the next file whole.
func (f *File) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.size > 0 && f.size+int64(len(b)) > f.o.Max {
		f.renew()
	}
	n, err := f.file.Write(b)
	f.size += int64(n)
	return n, err
}

// renew begins a new file. Where that cannot be, the old one begins anew: the
// bound holds in any case.
func (f *File) renew() {
	err := os.Rename(f.o.Path, f.o.Path+".1")
	if err == nil {
		var next *os.File
		if next, err = f.o.Open(f.o.Path); err == nil {
			f.file.Close()
			f.file, f.size = next, 0
			if f.o.Renewed != nil {
				f.o.Renewed(next)
			}
			return
		}
	}
	if f.file.Truncate(0) == nil {
		f.size = 0
	}
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
