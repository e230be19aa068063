package main

import (
	"strings"
	"testing"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// start gives the plug-in a configuration, in an emulated proxy.
func start(t *testing.T, config string) (proxytest.HostEmulator, types.OnPluginStartStatus) {
	t.Helper()
	host, reset := proxytest.NewHostEmulator(proxytest.NewEmulatorOption().
		WithPluginContext(newPluginContext).
		WithPluginConfiguration([]byte(config)))
	t.Cleanup(reset)
	return host, host.StartPlugin()
}

// request sends the headers of one request through the plug-in.
func request(t *testing.T, config string, headers [][2]string) (proxytest.HostEmulator, uint32, types.Action) {
	t.Helper()
	host, started := start(t, config)
	if started != types.OnPluginStartStatusOK {
		t.Fatalf("the configuration was refused: %q", host.GetErrorLogs())
	}
	id := host.InitializeHttpContext()
	return host, id, host.CallOnRequestHeaders(id, headers, true)
}

func TestTheValuePasses(t *testing.T) {
	for name, test := range map[string]struct{ config, header, value string }{
		"without a configuration":     {"", "allow", "true"},
		"with an empty one":           {"{}", "allow", "true"},
		"with one that says all":      {`{"header": "X-Token", "value": "open sesame"}`, "x-token", "open sesame"},
		"with one that says a little": {`{"header": "x-token"}`, "x-token", "true"},
	} {
		t.Run(name, func(t *testing.T) {
			host, id, action := request(t, test.config, [][2]string{{test.header, test.value}})
			if action != types.ActionContinue {
				t.Errorf("the request was held back: %v", action)
			}
			if response := host.GetSentLocalResponse(id); response != nil {
				t.Errorf("the plug-in answered itself: %v", response)
			}
			if logs := host.GetInfoLogs(); len(logs) != 1 || logs[0] != "allowed" {
				t.Errorf("got the log %q", logs)
			}
		})
	}
}

func TestAnythingElseIsDenied(t *testing.T) {
	for name, headers := range map[string][][2]string{
		"no header":      nil,
		"an empty value": {{"allow", ""}},
		"another value":  {{"allow", "false"}},
		"upper case":     {{"allow", "TRUE"}},
		"odd bytes":      {{"allow", "\xff"}},
	} {
		t.Run(name, func(t *testing.T) {
			host, id, action := request(t, "", headers)
			if action != types.ActionPause {
				t.Errorf("the request went on: %v", action)
			}
			response := host.GetSentLocalResponse(id)
			if response == nil {
				t.Fatal("no answer was sent")
			}
			if response.StatusCode != defaults.Status || string(response.Data) != defaults.Body {
				t.Errorf("got %d %q", response.StatusCode, response.Data)
			}
			if logs := host.GetInfoLogs(); len(logs) != 1 || logs[0] != "denied" {
				t.Errorf("got the log %q", logs)
			}
		})
	}
}

func TestTheAnswerIsAsConfigured(t *testing.T) {
	host, id, _ := request(t, `{"status": 401, "body": "Who are you?"}`, nil)
	response := host.GetSentLocalResponse(id)
	if response == nil || response.StatusCode != 401 || string(response.Data) != "Who are you?" {
		t.Errorf("got %v", response)
	}
}

func TestABadConfigurationIsRefusedWithTheReason(t *testing.T) {
	for config, reason := range map[string]string{
		`allow`:                   "invalid character",
		`["x-token"]`:             "cannot unmarshal array",
		`{"header": "x"`:          "unexpected EOF",
		`{"header": 7}`:           "header",
		`{"heder": "x"}`:          `unknown field "heder"`,
		`{"header": "two words"}`: "`header` is no name",
		`{"header": ""}`:          "`header` is no name",
		`{"value": ""}`:           "`value` is empty",
		`{"status": 200}`:         "`status` is not between",
		`{"status": -1}`:          "status",
		`{} {}`:                   "something stands behind",
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
