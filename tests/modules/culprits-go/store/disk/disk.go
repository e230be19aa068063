// Package disk keeps things in files.
package disk

import "os"

// Disk is a folder of things.
type Disk struct{ folder string }

// New returns the one in a folder.
func New(folder string) *Disk { return &Disk{folder} }

// Get reads one.
func (d *Disk) Get(name string) ([]byte, error) { return os.ReadFile(d.folder + "/" + name) }
