// Package settings has what is kept somewhere.
package settings

import "example.com/store/v2/disk"

type source interface {
	Get(name string) ([]byte, error)
}

// Load returns what is kept under a name.
func Load(name string) string {
	data, err := find(name).Get(name)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Which of them it is, the compiler cannot know.
//
//go:noinline
func find(name string) source {
	if name == "" {
		return nothing{}
	}
	return disk.New("settings")
}

type nothing struct{}

func (nothing) Get(string) ([]byte, error) { return nil, nil }
