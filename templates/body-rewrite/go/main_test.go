package main

import (
	"strings"
	"testing"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// start gives the plug-in a configuration, in an emulated proxy; a test can have one at a time.
func start(t *testing.T, config string) (proxytest.HostEmulator, types.OnPluginStartStatus) {
	t.Helper()
	host, reset := proxytest.NewHostEmulator(proxytest.NewEmulatorOption().
		WithPluginContext(newPluginContext).
		WithPluginConfiguration([]byte(config)))
	t.Cleanup(reset)
	return host, host.StartPlugin()
}

// begin sends the headers of a request through the plug-in.
func begin(t *testing.T, config string, headers [][2]string) (proxytest.HostEmulator, uint32, types.Action) {
	t.Helper()
	host, started := start(t, config)
	if started != types.OnPluginStartStatusOK {
		t.Fatalf("the configuration was refused: %q", host.GetErrorLogs())
	}
	id := host.InitializeHttpContext()
	return host, id, host.CallOnRequestHeaders(id, headers, false)
}

func TestABodyIsHeldUntilItsEnd(t *testing.T) {
	host, id, _ := begin(t, "", nil)
	if action := host.CallOnRequestBody(id, []byte("my sec"), false); action != types.ActionPause {
		t.Errorf("the beginning was passed on: %v", action)
	}
	if action := host.CallOnRequestBody(id, []byte("ret plan"), true); action != types.ActionContinue {
		t.Errorf("the end was held back: %v", action)
	}
	if body := string(host.GetCurrentRequestBody(id)); body != "my ****** plan" {
		t.Errorf("got %q", body)
	}
}

func TestChunkByChunkOnlyWhatMayGoOnIsHeld(t *testing.T) {
	host, id, _ := begin(t, `{"mode": "chunks", "replace": "#"}`, nil)
	for _, test := range []struct {
		chunk  string
		action types.Action
		body   string
	}{
		{"a secret ", types.ActionContinue, "a # "},
		{"and sec", types.ActionPause, "and sec"},
		{"ret", types.ActionContinue, "and #"},
		{"sec", types.ActionPause, "sec"},
	} {
		if action := host.CallOnResponseBody(id, []byte(test.chunk), false); action != test.action {
			t.Errorf("%q: got %v", test.chunk, action)
		}
		if body := string(host.GetCurrentResponseBody(id)); body != test.body {
			t.Errorf("%q: got %q", test.chunk, body)
		}
	}
	if action := host.CallOnResponseTrailers(id, [][2]string{{"x-sum", "1"}}); action != types.ActionContinue {
		t.Errorf("the trailers were held back: %v", action)
	}
}

func TestTheLengthGoesWhereItChanges(t *testing.T) {
	for config, length := range map[string]int{`{}`: 1, `{"replace": "#"}`: 0, `{"bodies": "response"}`: 1} {
		t.Run(config, func(t *testing.T) {
			host, id, _ := begin(t, config, [][2]string{{"content-length", "14"}})
			if headers := host.GetCurrentRequestHeaders(id); len(headers) != length {
				t.Errorf("got %v", headers)
			}
		})
	}
}

func TestABodyOverTheLimit(t *testing.T) {
	for config, status := range map[string]uint32{`{"max-bytes": 4}`: 413, `{"max-bytes": 4, "over-limit": "pass"}`: 0} {
		for name, headers := range map[string][][2]string{"announced": {{"content-length", "5"}}, "unannounced": nil} {
			t.Run(name+config, func(t *testing.T) {
				host, id, action := begin(t, config, headers)
				if action == types.ActionContinue {
					action = host.CallOnRequestBody(id, []byte("12345"), false)
				}
				response := host.GetSentLocalResponse(id)
				switch {
				case status == 0 && (action != types.ActionContinue || response != nil):
					t.Errorf("it did not pass: %v", action)
				case status != 0 && (response == nil || response.StatusCode != status):
					t.Errorf("it was answered %v", response)
				}
			})
		}
	}
}

func TestABadConfigurationIsRefusedWithTheReason(t *testing.T) {
	for config, reason := range map[string]string{
		`secret`:                 "invalid character",
		`["secret", "******"]`:   "cannot unmarshal array",
		`{"find": 7}`:            "find",
		`{"find": ""}`:           "`find` is empty",
		`{"max_bytes": 7}`:       `unknown field "max_bytes"`,
		`{"max-bytes": 0}`:       "`max-bytes` is 0",
		`{"max-bytes": -1}`:      "max-bytes",
		`{"mode": "half"}`:       "`mode` is none of",
		`{"over-limit": "drop"}`: "`over-limit` is none of",
		`{"bodies": "none"}`:     "`bodies` is none of",
		`{} {}`:                  "something stands behind",
	} {
		t.Run(config, func(t *testing.T) {
			host, started := start(t, config)
			if started != types.OnPluginStartStatusFailed {
				t.Fatal("it was taken")
			}
			logs := host.GetErrorLogs()
			if len(logs) != 1 || !strings.HasPrefix(logs[0], "configuration refused: ") || !strings.Contains(logs[0], reason) {
				t.Errorf("got the log %q", logs)
			}
		})
	}
}
