package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// config is the configuration of the plug-in; config.schema.json says the same to people and tools.
type config struct {
	Find      string `json:"find"`
	Replace   string `json:"replace"`
	Bodies    string `json:"bodies"`     // "request", "response" or "both"
	Mode      string `json:"mode"`       // "whole": held until its end; or "chunks"
	MaxBytes  uint32 `json:"max-bytes"`  // how much of a body is held at most
	OverLimit string `json:"over-limit"` // "refuse" or "pass"
}

// What holds where the configuration does not say otherwise.
var defaults = config{
	Find:      "secret",
	Replace:   "******",
	Bodies:    "both",
	Mode:      "whole",
	MaxBytes:  512 * 1024,
	OverLimit: "refuse",
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
	if parsed.Find == "" {
		return config{}, errors.New("`find` is empty")
	}
	if parsed.MaxBytes == 0 {
		return config{}, errors.New("`max-bytes` is 0")
	}
	return parsed, errors.Join(
		oneOf("bodies", parsed.Bodies, "request", "response", "both"),
		oneOf("mode", parsed.Mode, "whole", "chunks"),
		oneOf("over-limit", parsed.OverLimit, "refuse", "pass"),
	)
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("`%s` is none of %q: %q", key, allowed, value)
}
