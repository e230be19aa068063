package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// config is the configuration of the plug-in; config.schema.json says the same to people and tools.
type config struct {
	Header string `json:"header"`
	Value  string `json:"value"`
	Status uint32 `json:"status"`
	Body   string `json:"body"`
}

// parseConfig reads a configuration, or says what is wrong with it. None at all leaves the defaults.
func parseConfig(data []byte) (config, error) {
	parsed := defaults
	if len(data) == 0 {
		return parsed, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		return config{}, err
	}
	// Decode reads one value, and leaves what may come behind it.
	if _, err := decoder.Token(); err != io.EOF {
		return config{}, errors.New("something stands behind the JSON object")
	}
	switch {
	case !isHeaderName(parsed.Header):
		return config{}, errors.New("`header` is no name of a header")
	case parsed.Value == "": // what a header that is not there is read as
		return config{}, errors.New("`value` is empty")
	case parsed.Status < 400 || parsed.Status > 599:
		return config{}, errors.New("`status` is not between 400 and 599")
	}
	return parsed, nil
}

// allows says whether a request whose header has this value may pass.
func (c *config) allows(value string) bool {
	return value == c.Value
}

// isHeaderName says whether a header may be called that: RFC 9110, section 5.6.2.
func isHeaderName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
	return name != "" && strings.Trim(name, letters) == ""
}
