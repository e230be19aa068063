// A Proxy-Wasm plug-in: a request whose header `allow` is `true` passes, any other gets a 403.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// What holds where the configuration does not say otherwise.
var defaults = config{
	Header: "allow",
	Value:  "true",
	Status: 403,
	Body:   "Forbidden by wasmctl plug-in\n",
}

var deniedHeaders = [][2]string{
	{"content-type", "text/plain"},
	{"powered-by", "proxy-wasm"},
}

// The proxy loads the module as a library: it runs init and never main.
func init() {
	proxywasm.SetPluginContext(newPluginContext)
}

func main() {}

// newPluginContext is called for each place in the proxy's configuration that names the plug-in.
func newPluginContext(uint32) types.PluginContext {
	return &pluginContext{}
}

// pluginContext is the plug-in with one configuration.
type pluginContext struct {
	types.DefaultPluginContext
	config config
}

// OnPluginStart reads the configuration. The proxy takes a failure for a no; a panic would say the
// same, and not why.
func (p *pluginContext) OnPluginStart(size int) types.OnPluginStartStatus {
	var data []byte
	var err error
	if size > 0 { // asked for what is not there, the proxy answers with an error
		data, err = proxywasm.GetPluginConfiguration()
	}
	if err == nil {
		p.config, err = parseConfig(data)
	}
	if err != nil {
		proxywasm.LogErrorf("configuration refused: %v", err)
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

// NewHttpContext is called for each request.
func (p *pluginContext) NewHttpContext(uint32) types.HttpContext {
	return &httpContext{config: &p.config}
}

// httpContext is one request.
type httpContext struct {
	types.DefaultHttpContext
	config *config
}

// OnHttpRequestHeaders lets the request pass, or answers it in the server's place.
func (h *httpContext) OnHttpRequestHeaders(int, bool) types.Action {
	// The only error is that the header is not there: its value is empty then, which none is
	// configured to be.
	value, _ := proxywasm.GetHttpRequestHeader(h.config.Header)
	if h.config.allows(value) {
		proxywasm.LogInfo("allowed")
		return types.ActionContinue
	}
	proxywasm.LogInfo("denied")
	body := []byte(h.config.Body)
	if err := proxywasm.SendHttpResponse(h.config.Status, deniedHeaders, body, -1); err != nil {
		proxywasm.LogErrorf("the refusal could not be sent: %v", err)
	}
	return types.ActionPause
}
