// A Proxy-Wasm plug-in that adds and removes headers, as its configuration says.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

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

// httpContext is one request and its response.
type httpContext struct {
	types.DefaultHttpContext
	config *config
}

// OnHttpRequestHeaders changes the request on its way to the server.
func (h *httpContext) OnHttpRequestHeaders(int, bool) types.Action {
	for _, name := range h.config.Request.Remove {
		report(proxywasm.RemoveHttpRequestHeader(name))
	}
	for _, header := range h.config.Request.Add {
		report(proxywasm.AddHttpRequestHeader(header[0], header[1]))
	}
	return types.ActionContinue
}

// OnHttpResponseHeaders changes the response on its way to the client.
func (h *httpContext) OnHttpResponseHeaders(int, bool) types.Action {
	for _, name := range h.config.Response.Remove {
		report(proxywasm.RemoveHttpResponseHeader(name))
	}
	for _, header := range h.config.Response.Add {
		report(proxywasm.AddHttpResponseHeader(header[0], header[1]))
	}
	return types.ActionContinue
}

// report logs what the proxy would not do.
func report(err error) {
	if err != nil {
		proxywasm.LogErrorf("a header could not be changed: %v", err)
	}
}
