package main

import (
	"strings"
	"testing"
)

// inChunks returns what comes of chunks, each passed on but for its open end.
func inChunks(chunks []string, find, with string) string {
	var held, passed []byte
	for i, chunk := range chunks {
		replaced, open := replaceAll(append(held, chunk...), []byte(find), []byte(with), i+1 < len(chunks))
		passed = append(passed, replaced[:len(replaced)-open]...)
		held = replaced[len(replaced)-open:]
	}
	return string(append(passed, held...))
}

func TestChunksComeToTheSameAsTheWhole(t *testing.T) {
	for _, test := range [][2]string{
		{"my secret plan, a secret", "secret"},
		{"aaaaab", "aab"},
		{"ababababc", "ababc"},
		{"secsecret", "secret"},
		{"aaaa", "aa"},
		{"x", "x"},
		{"nothing here", "secret"},
		{"my secre", "secret"},
		{"", "secret"},
		{"\xff\x00\xfe\xff", "\x00\xfe"},
	} {
		text, find := test[0], test[1]
		for _, with := range []string{"", "******", "sec"} {
			whole := strings.ReplaceAll(text, find, with)
			for first := range len(text) + 1 {
				for second := first; second <= len(text); second++ {
					chunks := []string{text[:first], text[first:second], text[second:]}
					if got := inChunks(chunks, find, with); got != whole {
						t.Errorf("of %q with %q for %q came %q, not %q", chunks, with, find, got, whole)
					}
				}
			}
		}
	}
}

func TestOnlyWhatMayGoOnIsOpen(t *testing.T) {
	for _, test := range []struct {
		data string
		more bool
		open int
	}{{"my sec", true, 3}, {"my sec", false, 0}, {"my secrets", true, 1}, {"my secret", true, 0}, {"my plan", true, 0}} {
		if _, open := replaceAll([]byte(test.data), []byte("secret"), nil, test.more); open != test.open {
			t.Errorf("%q with more %v: got %d", test.data, test.more, open)
		}
	}
}
