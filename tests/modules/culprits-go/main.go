// A plug-in that asks for what older hosts have not: in three callbacks, each in another way.
package main

import (
	"html/template"
	"net/http"
	"os"
	"strings"

	"example.com/settings"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() { proxywasm.SetVMContext(&vm{}) }

type vm struct{ types.DefaultVMContext }

func (*vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

type plugin struct{ types.DefaultPluginContext }

func (*plugin) NewHttpContext(uint32) types.HttpContext { return &request{} }

type request struct{ types.DefaultHttpContext }

// OnHttpRequestHeaders reads a file, two dependencies away.
func (*request) OnHttpRequestHeaders(int, bool) types.Action {
	proxywasm.LogInfo(settings.Load("plugin.json"))
	return types.ActionContinue
}

// OnHttpRequestTrailers makes a link.
func (*request) OnHttpRequestTrailers(int) types.Action {
	proxywasm.LogInfof("%v", os.Link("a", "b"))
	return types.ActionContinue
}

// OnHttpResponseHeaders fills a template, for which Go keeps the methods of every type.
func (*request) OnHttpResponseHeaders(int, bool) types.Action {
	proxywasm.LogInfo(page("name"))
	return types.ActionContinue
}

//go:noinline
func page(name string) string {
	var text strings.Builder
	_ = template.Must(template.New("page").Parse("a {{.}}")).Execute(&text, name)
	return text.String()
}

// OnHttpResponseTrailers calls a server.
func (*request) OnHttpResponseTrailers(int) types.Action {
	answer, err := http.Get("https://example.com")
	proxywasm.LogInfof("%v %v", answer, err)
	return types.ActionContinue
}
