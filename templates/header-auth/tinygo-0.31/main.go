// A Proxy-Wasm plug-in: a request whose header `allow` is `true` passes, any other gets a 403.
package main

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
)

const (
	headerName  = "allow"
	headerValue = "true"

	deniedStatus = 403
	deniedBody   = "Forbidden by wasmctl plug-in\n"
)

var deniedHeaders = [][2]string{
	{"content-type", "text/plain"},
	{"powered-by", "proxy-wasm"},
}

// The proxy loads the module as a program: it runs main once.
func main() {
	proxywasm.SetVMContext(&vmContext{})
}

// vmContext lives as long as the module in the proxy.
type vmContext struct {
	types.DefaultVMContext
}

// NewPluginContext is called for each place in the proxy's configuration that names the plug-in.
func (*vmContext) NewPluginContext(uint32) types.PluginContext {
	return &pluginContext{}
}

// pluginContext is the plug-in with one configuration.
type pluginContext struct {
	types.DefaultPluginContext
}

// NewHttpContext is called for each request.
func (*pluginContext) NewHttpContext(uint32) types.HttpContext {
	return &httpContext{}
}

// httpContext is one request.
type httpContext struct {
	types.DefaultHttpContext
}

// OnHttpRequestHeaders lets the request pass, or answers it in the server's place.
func (*httpContext) OnHttpRequestHeaders(int, bool) types.Action {
	// The only error is that the header is not there: its value is empty then.
	value, _ := proxywasm.GetHttpRequestHeader(headerName)
	if isAllowed(value) {
		proxywasm.LogInfo("allowed")
		return types.ActionContinue
	}
	proxywasm.LogInfo("denied")
	if err := proxywasm.SendHttpResponse(deniedStatus, deniedHeaders, []byte(deniedBody), -1); err != nil {
		proxywasm.LogErrorf("the refusal could not be sent: %v", err)
	}
	return types.ActionPause
}

// isAllowed says whether a request whose header has this value may pass.
func isAllowed(value string) bool {
	return value == headerValue
}
