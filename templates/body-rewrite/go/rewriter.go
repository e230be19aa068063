package main

import (
	"strconv"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// way is one of the two that a message goes: the same with other names.
type way struct {
	name         string
	header       func(name string) (string, error)
	removeHeader func(name string) error
	body         func(start, size int) ([]byte, error)
	replaceBody  func(body []byte) error
	status       uint32 // what a body that is too long is answered with
}

var (
	requestWay = way{
		name:         "request",
		header:       proxywasm.GetHttpRequestHeader,
		removeHeader: proxywasm.RemoveHttpRequestHeader,
		body:         proxywasm.GetHttpRequestBody,
		replaceBody:  proxywasm.ReplaceHttpRequestBody,
		status:       413,
	}
	responseWay = way{
		name:         "response",
		header:       proxywasm.GetHttpResponseHeader,
		removeHeader: proxywasm.RemoveHttpResponseHeader,
		body:         proxywasm.GetHttpResponseBody,
		replaceBody:  proxywasm.ReplaceHttpResponseBody,
		status:       502,
	}
)

// rewriter rewrites one body, as the proxy hands it over.
type rewriter struct {
	config  *config
	way     *way
	passing bool // whether the body is left as it is from now on

	held int // how many bytes the proxy holds for us
	seen int // how many of them were looked at

	rewritten []byte // what these come to
	open      int    // how many bytes at its end may be the beginning of the text
}

func (r *rewriter) onHeaders(endOfStream bool) types.Action {
	// Without a body (of HEAD too, which has a length) there is nothing to do.
	if r.passing || endOfStream {
		return types.ActionContinue
	}
	// Compressed, a text is not to be found. The only error is that the header is not there.
	if encoding, err := r.way.header("content-encoding"); err == nil && encoding != "identity" {
		r.passing = true
		return types.ActionContinue
	}
	if length, err := r.way.header("content-length"); err == nil && r.config.Mode == "whole" {
		if size, err := strconv.Atoi(length); err == nil && r.isOver(size) {
			return r.giveUp()
		}
	}
	// The headers go before the body, when nobody knows how long that will be: without a length it is
	// sent in chunks, and a wrong one would cut it short.
	if len(r.config.Find) != len(r.config.Replace) {
		if err := r.way.removeHeader("content-length"); err != nil {
			return r.fail(err)
		}
	}
	return types.ActionContinue
}

// onBody takes the bytes that the proxy has: those that it holds for us, and behind them new ones.
func (r *rewriter) onBody(size int, endOfStream bool) types.Action {
	if r.passing {
		return types.ActionContinue
	}
	if r.config.Mode == "chunks" || endOfStream && !r.isOver(size) {
		return r.rewrite(size, endOfStream)
	}
	return r.hold(size)
}

// onTrailers ends a body of which nobody knew that it was the end.
func (r *rewriter) onTrailers() types.Action {
	if r.passing || r.held == 0 {
		return types.ActionContinue
	}
	return r.rewrite(r.held, true)
}

func (r *rewriter) rewrite(size int, endOfStream bool) types.Action {
	// However small the chunks are that somebody sends, each byte is looked at once.
	done := len(r.rewritten) - r.open
	fresh := append([]byte(nil), r.rewritten[done:]...)
	if size > r.seen {
		data, err := r.way.body(r.seen, size-r.seen)
		if err != nil {
			return r.fail(err)
		}
		fresh = append(fresh, data...)
	}
	r.seen = size
	replaced, open := replaceAll(fresh, []byte(r.config.Find), []byte(r.config.Replace), !endOfStream)
	r.rewritten, r.open = append(r.rewritten[:done], replaced...), open
	if r.open > 0 {
		return r.hold(size)
	}
	// A proxy replaces all that it has of a body, or nothing.
	if err := r.way.replaceBody(r.rewritten); err != nil {
		return r.fail(err)
	}
	r.held, r.seen, r.rewritten = 0, 0, nil
	return types.ActionContinue
}

// hold has the proxy hold what there is until more comes.
func (r *rewriter) hold(size int) types.Action {
	if r.isOver(size) {
		return r.giveUp()
	}
	r.held = size
	return types.ActionPause
}

func (r *rewriter) isOver(size int) bool {
	return uint64(size) > uint64(r.config.MaxBytes)
}

func (r *rewriter) giveUp() types.Action {
	r.passing = true
	if r.config.OverLimit == "pass" {
		proxywasm.LogInfof("%s body over %d bytes: passed on as it is", r.way.name, r.config.MaxBytes)
		return types.ActionContinue
	}
	proxywasm.LogInfof("%s body over %d bytes: refused", r.way.name, r.config.MaxBytes)
	return r.answer(r.way.status, "The body is too long.\n")
}

// fail ends what cannot be rewritten: to pass it on would show what is to be hidden.
func (r *rewriter) fail(err error) types.Action {
	r.passing = true
	proxywasm.LogErrorf("the %s cannot be rewritten: %v", r.way.name, err)
	return r.answer(500, "The body cannot be rewritten.\n")
}

// answer answers in the server's place. Where the response has begun the proxy cannot any more, and
// ends it.
func (r *rewriter) answer(status uint32, body string) types.Action {
	headers := [][2]string{{"content-type", "text/plain"}}
	if err := proxywasm.SendHttpResponse(status, headers, []byte(body), -1); err != nil {
		proxywasm.LogErrorf("the answer could not be sent: %v", err)
	}
	return types.ActionPause
}
