#![forbid(unsafe_code)]

mod config;

use config::Config;
use log::{error, info};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::rc::Rc;

// What holds where the configuration does not say otherwise.
const HEADER: &str = "allow";
const VALUE: &str = "true";
const REFUSAL_STATUS: u32 = 403;
const REFUSAL_BODY: &str = "Forbidden by wasmctl plug-in\n";
const REFUSAL_HEADERS: [(&str, &str); 2] =
    [("content-type", "text/plain"), ("powered-by", "proxy-wasm")];

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
        Some(Box::new(HeaderAuth {
            config: Rc::clone(&self.config),
        }))
    }
}

/// One request.
struct HeaderAuth {
    config: Rc<Config>,
}

impl Context for HeaderAuth {}

impl HttpContext for HeaderAuth {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        // As bytes: a header value need not be UTF-8.
        let value = self.get_http_request_header_bytes(&self.config.header);
        if self.config.allows(value.as_deref()) {
            info!("allowed");
            return Action::Continue;
        }
        info!("denied");
        self.send_http_response(
            self.config.status,
            REFUSAL_HEADERS.to_vec(),
            Some(self.config.body.as_bytes()),
        );
        Action::Pause
    }
}
