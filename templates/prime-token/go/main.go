// A Proxy-Wasm plug-in: a request whose header `token` is a prime number passes, any other gets
// a 403.
package main

import (
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const (
	deniedStatus = 403
	deniedBody   = "Access forbidden.\n"
)

var deniedHeaders = [][2]string{{"powered-by", "proxy-wasm"}}

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
	headers, err := proxywasm.GetHttpRequestHeaders()
	if err != nil {
		proxywasm.LogErrorf("the headers cannot be read: %v", err)
	}
	if isPrime(singleValue(headers, h.config.Header)) {
		proxywasm.LogInfo("allowed")
		return types.ActionContinue
	}
	proxywasm.LogInfo("denied")
	if err := proxywasm.SendHttpResponse(deniedStatus, deniedHeaders, []byte(deniedBody), -1); err != nil {
		proxywasm.LogErrorf("the refusal could not be sent: %v", err)
	}
	return types.ActionPause
}

// singleValue returns the value of a header that is there exactly once, else nothing.
//
// To ask the proxy for a header by its name brings the first of several, and the server may heed
// another.
func singleValue(headers [][2]string, name string) string {
	value, found := "", false
	for _, header := range headers {
		if strings.EqualFold(header[0], name) {
			if found {
				return ""
			}
			value, found = header[1], true
		}
	}
	return value
}
