package main

import "bytes"

// replaceAll replaces every find in data. more says whether further bytes are to come; then open is
// how many bytes at the end may be the beginning of another one.
func replaceAll(data, find, with []byte, more bool) (replaced []byte, open int) {
	replaced = make([]byte, 0, len(data))
	for at := bytes.Index(data, find); at >= 0; at = bytes.Index(data, find) {
		replaced = append(replaced, data[:at]...)
		replaced = append(replaced, with...)
		data = data[at+len(find):]
	}
	replaced = append(replaced, data...)
	if more {
		for open = min(len(data), len(find)-1); !bytes.HasSuffix(data, find[:open]); open-- {
		}
	}
	return replaced, open
}
