//go:build !unix

package transport

import "errors"

// utcpWorks says whether writing without waiting is implemented here.
const utcpWorks = false

func tryWrite(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func tryRead(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
