// A Proxy-Wasm plug-in that replaces text in the bodies of requests and responses.
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
	bodies := p.config.Bodies
	return &httpContext{
		readsResponse: bodies != "request",
		request:       rewriter{config: &p.config, way: &requestWay, passing: bodies == "response"},
		response:      rewriter{config: &p.config, way: &responseWay, passing: bodies == "request"},
	}
}

// httpContext is one request and its response.
type httpContext struct {
	types.DefaultHttpContext
	readsResponse     bool
	request, response rewriter
}

func (h *httpContext) OnHttpRequestHeaders(_ int, endOfStream bool) types.Action {
	if h.readsResponse {
		// The server shall not compress what has to be read here.
		if err := proxywasm.RemoveHttpRequestHeader("accept-encoding"); err != nil {
			proxywasm.LogErrorf("the header cannot be removed: %v", err)
		}
	}
	return h.request.onHeaders(endOfStream)
}

func (h *httpContext) OnHttpRequestBody(size int, endOfStream bool) types.Action {
	return h.request.onBody(size, endOfStream)
}

func (h *httpContext) OnHttpRequestTrailers(int) types.Action {
	return h.request.onTrailers()
}

func (h *httpContext) OnHttpResponseHeaders(_ int, endOfStream bool) types.Action {
	return h.response.onHeaders(endOfStream)
}

func (h *httpContext) OnHttpResponseBody(size int, endOfStream bool) types.Action {
	return h.response.onBody(size, endOfStream)
}

func (h *httpContext) OnHttpResponseTrailers(int) types.Action {
	return h.response.onTrailers()
}
