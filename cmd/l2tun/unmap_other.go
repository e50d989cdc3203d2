//go:build !linux

package main

func unmapping() func() { return func() {} }
