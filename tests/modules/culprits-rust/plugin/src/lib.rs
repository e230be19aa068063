//! A plug-in that asks for what older hosts have not: in three callbacks, each in another way.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::time::Duration;

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
        Some(Box::new(Request))
    }
}

struct Request;

impl Context for Request {}

impl HttpContext for Request {
    /// Reads a file, two dependencies away.
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let name = self.get_http_request_header("name").unwrap_or_default();
        log::info!("{}", settings::load(&name));
        Action::Continue
    }

    /// Makes a link.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        log::info!("{}", std::fs::hard_link("a", "b").is_ok());
        Action::Continue
    }

    /// Sleeps.
    fn on_http_response_headers(&mut self, count: usize, _end_of_stream: bool) -> Action {
        std::thread::sleep(Duration::from_millis(count as u64));
        Action::Continue
    }
}
