//! A plug-in that fails in the way its configuration names.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

#[derive(Default)]
struct Root {
    typeless: bool,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        match configuration.as_slice() {
            b"unwrap" => {
                let number: u32 = "x".parse().unwrap();
                number > 0
            }
            b"no" => {
                log::info!("reading the configuration");
                log::error!("`header` must be a string");
                false
            }
            b"memory" => fill(Vec::new()),
            b"recursion" => descend(1) > 0,
            b"time" => std::time::SystemTime::now() > std::time::SystemTime::UNIX_EPOCH,
            b"exit" => std::process::exit(3),
            b"typeless" => {
                self.typeless = true;
                true
            }
            _ => true,
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        (!self.typeless).then_some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http))
    }
}

fn fill(mut kept: Vec<Vec<u8>>) -> bool {
    loop {
        kept.push(vec![1; 1 << 26]);
        std::hint::black_box(&kept);
    }
}

fn descend(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 64]);
    match depth {
        0 => 0,
        _ => descend(depth + 1) + here[3],
    }
}

struct Http;

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _headers: usize, _end: bool) -> Action {
        let token = self.get_http_request_header("x-token").unwrap_or_default();
        let parts: Vec<&str> = token.split('.').collect();
        log::info!("{}", token::size(&parts, 2));
        Action::Continue
    }
}

mod token {
    #[inline(never)]
    pub fn size(parts: &[&str], index: usize) -> usize {
        parts[index].len()
    }
}
