// A plug-in that fails in the way its configuration names.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() { proxywasm.SetVMContext(&vm{}) }

type vm struct{ types.DefaultVMContext }

func (*vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

type plugin struct {
	types.DefaultPluginContext
	limits []int
}

func (p *plugin) OnPluginStart(size int) types.OnPluginStartStatus {
	var configuration []byte
	if size > 0 {
		configuration, _ = proxywasm.GetPluginConfiguration()
	}
	switch string(configuration) {
	case "index":
		p.limits[len(configuration)] = 1
	case "no":
		proxywasm.LogErrorf("limit must be a number: %q", configuration)
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (*plugin) NewHttpContext(uint32) types.HttpContext { return &http{} }

type http struct {
	types.DefaultHttpContext
	seen map[string]int
}

func (h *http) OnHttpRequestHeaders(int, bool) types.Action {
	h.count("request")
	return types.ActionContinue
}

//go:noinline
func (h *http) count(name string) { h.seen[name]++ }
