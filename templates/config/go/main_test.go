package main

import (
	"reflect"
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

func TestHeadersAreAddedAndRemoved(t *testing.T) {
	sent := [][2]string{{"x-debug", "1"}, {"x-powered-by", "php"}}
	for name, test := range map[string]struct {
		config            string
		request, response [][2]string
	}{
		"without a configuration": {"", sent, [][2]string{{"x-debug", "1"}, {"powered-by", "proxy-wasm"}}},
		"with an empty one":       {"{}", sent, [][2]string{{"x-debug", "1"}, {"powered-by", "proxy-wasm"}}},
		"with one for requests": {
			`{"request": {"add": {"x-b": "2", "x-a": "1"}, "remove": ["x-debug", "x-none"]}}`,
			[][2]string{{"x-powered-by", "php"}, {"x-a", "1"}, {"x-b", "2"}},
			[][2]string{{"x-debug", "1"}, {"powered-by", "proxy-wasm"}},
		},
		"with one that changes nothing": {`{"response": {}}`, sent, sent},
	} {
		t.Run(name, func(t *testing.T) {
			host, started := start(t, test.config)
			if started != types.OnPluginStartStatusOK {
				t.Fatalf("the configuration was refused: %q", host.GetErrorLogs())
			}
			id := host.InitializeHttpContext()
			if action := host.CallOnRequestHeaders(id, sent, true); action != types.ActionContinue {
				t.Errorf("the request was held back: %v", action)
			}
			if got := host.GetCurrentRequestHeaders(id); !reflect.DeepEqual(got, test.request) {
				t.Errorf("the request has %v", got)
			}
			if action := host.CallOnResponseHeaders(id, sent, true); action != types.ActionContinue {
				t.Errorf("the response was held back: %v", action)
			}
			if got := host.GetCurrentResponseHeaders(id); !reflect.DeepEqual(got, test.response) {
				t.Errorf("the response has %v", got)
			}
		})
	}
}

func TestABadConfigurationIsRefusedWithTheReason(t *testing.T) {
	for config, reason := range map[string]string{
		`x-a: 1`:                                       "invalid character",
		`[{}, {}]`:                                     "cannot unmarshal array",
		`{"requests": {}}`:                             `unknown field "requests"`,
		`{"request": {"set": {}}}`:                     `unknown field "set"`,
		`{"request": {"add": ["x-a"]}}`:                "cannot unmarshal array",
		`{"request": {"add": {"x-a": 1}}}`:             "cannot unmarshal number",
		`{"request": {"remove": "x-a"}}`:               "cannot unmarshal string",
		`{"request": {"remove": [""]}}`:                "`` in `request` is no header's name",
		`{"response": {"remove": ["X-A"]}}`:            "`X-A` in `response` is no",
		`{"request": {"add": {":path": "/"}}}`:         "`:path` in `request` is no",
		`{"request": {"remove": ["host"]}}`:            "`host` in `request` has to stay",
		`{"request": {"add": {"x-a": "1\r\nx-b: 2"}}}`: "`x-a` in `request` has control",
		`{} {}`: "something stands behind",
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
