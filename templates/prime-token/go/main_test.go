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

// answer sends a request's headers through the plug-in, and returns what it answers itself.
func answer(t *testing.T, config string, headers [][2]string) *proxytest.LocalHttpResponse {
	t.Helper()
	host, started := start(t, config)
	if started != types.OnPluginStartStatusOK {
		t.Fatalf("the configuration was refused: %q", host.GetErrorLogs())
	}
	id := host.InitializeHttpContext()
	action := host.CallOnRequestHeaders(id, headers, true)
	response := host.GetSentLocalResponse(id)
	if (response == nil) != (action == types.ActionContinue) {
		t.Errorf("got %v with the answer %v", action, response)
	}
	return response
}

func TestAPrimeNumberPasses(t *testing.T) {
	for header, config := range map[string]string{"token": "", "x-token": `{"header": "X-Token"}`} {
		t.Run(header, func(t *testing.T) {
			if response := answer(t, config, [][2]string{{header, "7"}}); response != nil {
				t.Errorf("got %d %q", response.StatusCode, response.Data)
			}
		})
	}
}

func TestAnythingElseIsDenied(t *testing.T) {
	for name, headers := range map[string][][2]string{
		"no header":         {{"x-other", "7"}},
		"a composite":       {{"token", "8"}},
		"no number":         {{"token", "\xff"}},
		"two headers":       {{"token", "7"}, {"token", "7"}},
		"another's header":  {{"tokens", "7"}},
		"all that fits one": {{"token", strings.Repeat("7", 60_000)}},
	} {
		t.Run(name, func(t *testing.T) {
			response := answer(t, "", headers)
			if response == nil {
				t.Fatal("it passed")
			}
			if response.StatusCode != 403 || string(response.Data) != "Access forbidden.\n" {
				t.Errorf("got %d %q", response.StatusCode, response.Data)
			}
			if len(response.Headers) != 1 || response.Headers[0] != [2]string{"powered-by", "proxy-wasm"} {
				t.Errorf("got the headers %v", response.Headers)
			}
		})
	}
}

func TestABadConfigurationIsRefusedWithTheReason(t *testing.T) {
	for config, reason := range map[string]string{
		`token`:          "invalid character",
		`["token"]`:      "cannot unmarshal array",
		`{"header": 7}`:  "header",
		`{"heder": "x"}`: `unknown field "heder"`,
		`{"header": ""}`: "`header` is empty",
		`{} {}`:          "something stands behind",
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
