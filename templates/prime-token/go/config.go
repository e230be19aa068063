package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// config is the configuration of the plug-in; config.schema.json says the same to people and tools.
type config struct {
	Header string `json:"header"`
}

// What holds where the configuration does not say otherwise.
var defaults = config{Header: "token"}

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
	if parsed.Header == "" {
		return config{}, errors.New("`header` is empty")
	}
	return parsed, nil
}
