package settings

import (
	"reflect"
	"testing"
)

// Each field of Settings has one descriptor, in the same order, which reads and
// writes that field and no other; each default lies within its bounds.
func TestEachSettingIsDescribedOnce(t *testing.T) {
	fields := reflect.TypeFor[Settings]()
	all := Descriptors()
	if len(all) != fields.NumField() {
		t.Fatalf("%d descriptors for %d fields", len(all), fields.NumField())
	}
	for i, d := range all {
		var s Settings
		d.Set(&s, 7)
		for j := range fields.NumField() {
			if got := reflect.ValueOf(s).Field(j).Int(); (got == 7) != (i == j) || got != 0 && got != 7 {
				t.Errorf("%s: field %s is %d", d.Key, fields.Field(j).Name, got)
			}
		}
		if d.Get(&s) != 7 || d.Key == "" || d.Doc == "" || (d.Default < d.Min && !(d.Off && d.Default == 0)) || d.Default > d.Max {
			t.Errorf("%s: %+v", d.Key, d)
		}
	}
}

func TestTextOfASetting(t *testing.T) {
	for key, want := range map[string]string{"ttl": "24h", "rekey_after": "2m", "heartbeat": "30s", "queue_bytes": "1048576"} {
		if d := descriptor(key); d.Text(d.Default) != want {
			t.Errorf("%s: %q, want %q", key, d.Text(d.Default), want)
		}
	}
	if d := descriptor("ttl"); d.Text(int64(day+90e9)) != "24h1m30s" || d.Text(d.Max) != "168h" {
		t.Errorf("%q, %q", d.Text(int64(day+90e9)), d.Text(d.Max))
	}
}
