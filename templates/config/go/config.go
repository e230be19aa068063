package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// config is the configuration of the plug-in; config.schema.json says the same to people and tools.
type config struct {
	Request  *changes `json:"request"`
	Response *changes `json:"response"`
}

// changes are those of a message's headers: first those of Remove go, then those of Add come.
type changes struct {
	Add    headers  `json:"add"`
	Remove []string `json:"remove"`
}

// headers are names and values. As JSON they are an object, whose order means nothing: they are
// sorted, so that every message gets them alike.
type headers [][2]string

func (h *headers) UnmarshalJSON(data []byte) error {
	var values map[string]string
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	for name, value := range values {
		*h = append(*h, [2]string{name, value})
	}
	slices.SortFunc(*h, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return nil
}

// What holds where the configuration does not say otherwise. Pointers tell what is not there from
// what is there and empty.
var (
	defaultRequest  = changes{}
	defaultResponse = changes{
		Add:    headers{{"powered-by", "proxy-wasm"}},
		Remove: []string{"x-powered-by"},
	}
)

// Headers that say where a message goes and where it ends: proxies need them as they are.
var kept = []string{"host", "content-length", "transfer-encoding", "connection"}

// parseConfig reads a configuration, or says what is wrong with it. None at all leaves the defaults.
func parseConfig(data []byte) (config, error) {
	var parsed config
	if len(data) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&parsed); err != nil {
			return config{}, err
		}
		// Decode reads one value, and leaves what may come behind it.
		if _, err := decoder.Token(); err != io.EOF {
			return config{}, errors.New("something stands behind the JSON object")
		}
	}
	if parsed.Request == nil {
		parsed.Request = &defaultRequest
	}
	if parsed.Response == nil {
		parsed.Response = &defaultResponse
	}
	if err := parsed.Request.check("request"); err != nil {
		return config{}, err
	}
	return parsed, parsed.Response.check("response")
}

// check says what a proxy could not do with the changes; place is where they stand.
func (c *changes) check(place string) error {
	names := slices.Clone(c.Remove)
	for _, header := range c.Add {
		names = append(names, header[0])
		if !isHeaderValue(header[1]) {
			return fmt.Errorf("the value of `%s` in `%s` has control characters", header[0], place)
		}
	}
	for _, name := range names {
		if !isHeaderName(name) {
			return fmt.Errorf("`%s` in `%s` is no header's name in lower case", name, place)
		}
		if slices.Contains(kept, name) {
			return fmt.Errorf("`%s` in `%s` has to stay as it is", name, place)
		}
	}
	return nil
}

// isHeaderName says whether a header may be called that (RFC 9110, section 5.6.2). In HTTP/2 and in
// proxies names are in lower case, and those that begin with a colon are the request line.
func isHeaderName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == ""
}

// isHeaderValue says whether a header may have that value: a line break would begin another header.
func isHeaderValue(value string) bool {
	return !strings.ContainsFunc(value, func(letter rune) bool {
		return letter != '\t' && (letter < ' ' || letter == '\x7f')
	})
}
