//go:build !unix

package utcp

import "errors"

// Works says whether writing without waiting is implemented here.
const Works = false

func tryWrite(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func tryRead(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
