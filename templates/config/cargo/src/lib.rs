#![forbid(unsafe_code)]

mod config;

use config::Config;
use log::error;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
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
        Some(Box::new(Exchange {
            config: Rc::clone(&self.config),
        }))
    }
}

/// One request and its response.
struct Exchange {
    config: Rc<Config>,
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        for name in &self.config.request.remove {
            self.remove_http_request_header(name);
        }
        for (name, value) in &self.config.request.add {
            self.add_http_request_header(name, value);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        for name in &self.config.response.remove {
            self.remove_http_response_header(name);
        }
        for (name, value) in &self.config.response.add {
            self.add_http_response_header(name, value);
        }
        Action::Continue
    }
}
