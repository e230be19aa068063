package main

import (
	"testing"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// request sends the headers of one request through the plug-in, in an emulated proxy.
func request(t *testing.T, headers [][2]string) (proxytest.HostEmulator, uint32, types.Action) {
	t.Helper()
	host, reset := proxytest.NewHostEmulator(
		proxytest.NewEmulatorOption().WithVMContext(&vmContext{}))
	t.Cleanup(reset)
	id := host.InitializeHttpContext()
	return host, id, host.CallOnRequestHeaders(id, headers, true)
}

func TestTheValuePasses(t *testing.T) {
	host, id, action := request(t, [][2]string{{"allow", "true"}})
	if action != types.ActionContinue {
		t.Errorf("the request was held back: %v", action)
	}
	if response := host.GetSentLocalResponse(id); response != nil {
		t.Errorf("the plug-in answered itself: %v", response)
	}
	if logs := host.GetInfoLogs(); len(logs) != 1 || logs[0] != "allowed" {
		t.Errorf("got the log %q", logs)
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
			host, id, action := request(t, headers)
			if action != types.ActionPause {
				t.Errorf("the request went on: %v", action)
			}
			response := host.GetSentLocalResponse(id)
			if response == nil {
				t.Fatal("no answer was sent")
			}
			if response.StatusCode != deniedStatus || string(response.Data) != deniedBody {
				t.Errorf("got %d %q", response.StatusCode, response.Data)
			}
			if logs := host.GetInfoLogs(); len(logs) != 1 || logs[0] != "denied" {
				t.Errorf("got the log %q", logs)
			}
		})
	}
}
