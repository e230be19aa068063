#![forbid(unsafe_code)]

mod config;
mod replace;
mod rewriter;

use config::{Bodies, Config};
use log::error;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use rewriter::{Rewriter, REQUEST, RESPONSE};
use std::rc::Rc;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Plugin::default()));
}}

/// The plug-in with one configuration.
#[derive(Default)]
struct Plugin {
    config: Rc<Config>,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        match Config::parse(&self.get_plugin_configuration().unwrap_or_default()) {
            Ok(config) => self.config = Rc::new(config),
            // The proxy takes `false` for a no. A panic would say the same, and not why.
            Err(reason) => {
                error!("configuration refused: {reason}");
                return false;
            }
        }
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let bodies = self.config.bodies;
        Some(Box::new(Exchange {
            request: Rewriter::new(Rc::clone(&self.config), REQUEST, bodies != Bodies::Response),
            response: Rewriter::new(Rc::clone(&self.config), RESPONSE, bodies != Bodies::Request),
            bodies,
        }))
    }
}

/// One request and its response.
struct Exchange {
    bodies: Bodies,
    request: Rewriter,
    response: Rewriter,
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        if self.bodies != Bodies::Request {
            // The server shall not compress what has to be read here.
            self.set_http_request_header("accept-encoding", None);
        }
        self.request.on_headers(end_of_stream)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.request.on_body(size, end_of_stream)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.request.on_trailers()
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.response.on_headers(end_of_stream)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.response.on_body(size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.response.on_trailers()
    }
}
