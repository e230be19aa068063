use log::info;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

const HEADER: &str = "allow";
const VALUE: &str = "true";

const REFUSAL_STATUS: u32 = 403;
const REFUSAL_HEADERS: [(&str, &str); 2] =
    [("content-type", "text/plain"), ("powered-by", "proxy-wasm")];
const REFUSAL_BODY: &str = "Forbidden by wasmctl plug-in\n";

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Plugin));
}}

struct Plugin;

impl Context for Plugin {}

impl RootContext for Plugin {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(HeaderAuth))
    }
}

struct HeaderAuth;

impl Context for HeaderAuth {}

impl HttpContext for HeaderAuth {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        // As bytes: a header value need not be UTF-8.
        if is_allowed(self.get_http_request_header_bytes(HEADER).as_deref()) {
            info!("allowed");
            return Action::Continue;
        }
        info!("denied");
        self.send_http_response(
            REFUSAL_STATUS,
            REFUSAL_HEADERS.to_vec(),
            Some(REFUSAL_BODY.as_bytes()),
        );
        Action::Pause
    }
}

/// Says whether a request whose header has this value may pass.
fn is_allowed(value: Option<&[u8]>) -> bool {
    value == Some(VALUE.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn the_value_passes() {
        assert!(is_allowed(Some(b"true")));
    }

    #[test]
    fn anything_else_is_denied() {
        for value in [&b""[..], b"TRUE", b"true ", b"false", b"\xff"] {
            assert!(!is_allowed(Some(value)), "{value:?}");
        }
    }

    #[test]
    fn no_header_is_denied() {
        assert!(!is_allowed(None));
    }
}
