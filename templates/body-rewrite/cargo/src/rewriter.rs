//! Rewriting one body, as the proxy hands it over.

use crate::config::{Config, Mode, OverLimit};
use crate::replace::replace;
use log::info;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, MapType};
use std::rc::Rc;

/// One of the two ways that a message goes: the same with other names.
pub struct Way {
    name: &'static str,
    headers: MapType,
    body: BufferType,
    /// What a body that is too long is answered with.
    status: u32,
}

pub const REQUEST: Way = Way {
    name: "request",
    headers: MapType::HttpRequestHeaders,
    body: BufferType::HttpRequestBody,
    status: 413,
};
pub const RESPONSE: Way = Way {
    name: "response",
    headers: MapType::HttpResponseHeaders,
    body: BufferType::HttpResponseBody,
    status: 502,
};

pub struct Rewriter {
    config: Rc<Config>,
    way: Way,
    /// Whether the body is left as it is from now on.
    passing: bool,
    /// How many bytes the proxy holds for us, and how many of them were looked at.
    held: usize,
    seen: usize,
    /// What these come to, and how many bytes at its end may be the beginning of the text.
    rewritten: Vec<u8>,
    open: usize,
}

impl Rewriter {
    pub fn new(config: Rc<Config>, way: Way, wanted: bool) -> Self {
        Rewriter {
            config,
            way,
            passing: !wanted,
            held: 0,
            seen: 0,
            rewritten: Vec::new(),
            open: 0,
        }
    }

    pub fn on_headers(&mut self, end_of_stream: bool) -> Action {
        // Without a body (of HEAD too, which has a length) there is nothing to do.
        if self.passing || end_of_stream {
            return Action::Continue;
        }
        // Compressed, a text is not to be found.
        if self
            .header("content-encoding")
            .is_some_and(|value| value != "identity")
        {
            self.passing = true;
            return Action::Continue;
        }
        let length = self
            .header("content-length")
            .and_then(|value| value.parse().ok());
        if self.config.mode == Mode::Whole && length.is_some_and(|length| self.is_over(length)) {
            return self.give_up();
        }
        // The headers go before the body, when nobody knows how long that will be: without a length
        // it is sent in chunks, and a wrong one would cut it short.
        if self.config.find.len() != self.config.replace.len() {
            hostcalls::set_map_value(self.way.headers, "content-length", None).unwrap();
        }
        Action::Continue
    }

    /// Takes the bytes that the proxy has: those that it holds for us, and behind them new ones.
    pub fn on_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.passing {
            return Action::Continue;
        }
        if self.config.mode == Mode::Chunks || end_of_stream && !self.is_over(size) {
            return self.rewrite(size, end_of_stream);
        }
        self.hold(size)
    }

    /// Trailers end a body of which nobody knew that it was the end.
    pub fn on_trailers(&mut self) -> Action {
        if self.passing || self.held == 0 {
            return Action::Continue;
        }
        self.rewrite(self.held, true)
    }

    fn rewrite(&mut self, size: usize, end_of_stream: bool) -> Action {
        // However small the chunks are that somebody sends, each byte is looked at once.
        let mut fresh = self.rewritten.split_off(self.rewritten.len() - self.open);
        if size > self.seen {
            let new = hostcalls::get_buffer(self.way.body, self.seen, size - self.seen).unwrap();
            fresh.extend(new.unwrap_or_default());
        }
        self.seen = size;
        let (find, with) = (self.config.find.as_bytes(), self.config.replace.as_bytes());
        let replaced = replace(&fresh, find, with, !end_of_stream);
        self.rewritten.extend(replaced.bytes);
        self.open = replaced.open;
        if self.open > 0 {
            return self.hold(size);
        }
        // A proxy replaces all that it has of a body, or nothing.
        let body = std::mem::take(&mut self.rewritten);
        hostcalls::set_buffer(self.way.body, 0, size, &body).unwrap();
        (self.held, self.seen) = (0, 0);
        Action::Continue
    }

    /// Has the proxy hold what there is until more comes.
    fn hold(&mut self, size: usize) -> Action {
        if self.is_over(size) {
            return self.give_up();
        }
        self.held = size;
        Action::Pause
    }

    fn is_over(&self, size: usize) -> bool {
        size > self.config.max_bytes as usize
    }

    fn give_up(&mut self) -> Action {
        self.passing = true;
        let (name, limit) = (self.way.name, self.config.max_bytes);
        if self.config.over_limit == OverLimit::Pass {
            info!("{name} body over {limit} bytes: passed on as it is");
            return Action::Continue;
        }
        info!("{name} body over {limit} bytes: refused");
        // Where the response has begun the proxy cannot answer any more, and ends it.
        let headers = vec![("content-type", "text/plain")];
        hostcalls::send_http_response(self.way.status, headers, Some(b"The body is too long.\n"))
            .unwrap();
        Action::Pause
    }

    fn header(&self, name: &str) -> Option<String> {
        let value = hostcalls::get_map_value_bytes(self.way.headers, name).unwrap()?;
        String::from_utf8(value).ok()
    }
}
