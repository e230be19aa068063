#![forbid(unsafe_code)]

mod config;
mod message;

use config::{Config, FailurePolicy};
use log::{error, info, warn};
use message::CheckRequest;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, GrpcStatusCode, LogLevel};
use std::rc::Rc;

// As proto/auth.proto has them.
const SERVICE: &str = "auth.v1.Authorizer";
const METHOD: &str = "Check";

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
        Some(Box::new(GrpcAuth {
            config: Rc::clone(&self.config),
        }))
    }
}

/// One request.
struct GrpcAuth {
    config: Rc<Config>,
}

/// What an answer comes to.
#[derive(Debug, PartialEq)]
enum Verdict {
    Allowed,
    /// Refused, with this status of HTTP.
    Denied(u32),
    /// There is no answer to go by.
    Failed,
}

impl GrpcAuth {
    fn header(&self, name: &str) -> Vec<u8> {
        // As bytes: a header value need not be UTF-8.
        self.get_http_request_header_bytes(name).unwrap_or_default()
    }

    /// Says whether the request may go on; else it is answered.
    fn conclude(&self, verdict: Verdict) -> bool {
        match (verdict, self.config.failure_policy) {
            (Verdict::Allowed, _) => info!("allowed"),
            (Verdict::Failed, FailurePolicy::Open) => info!("let through without an answer"),
            (Verdict::Failed, FailurePolicy::Closed) => {
                self.refuse(503, "Nobody can be asked whether you may.\n");
                return false;
            }
            (Verdict::Denied(status), _) => {
                self.refuse(status, "Access forbidden.\n");
                return false;
            }
        }
        true
    }

    fn refuse(&self, status: u32, body: &str) {
        info!("denied");
        let headers = vec![("content-type", "text/plain"), ("powered-by", "proxy-wasm")];
        self.send_http_response(status, headers, Some(body.as_bytes()));
    }
}

impl Context for GrpcAuth {
    fn on_grpc_call_response(&mut self, _token: u32, status: u32, _size: usize) {
        let verdict = verdict(status);
        if verdict == Verdict::Failed {
            warn!("`{}` failed with gRPC status {status}", self.config.cluster);
        }
        if self.conclude(verdict) {
            self.resume_http_request();
        }
    }
}

impl HttpContext for GrpcAuth {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let request = CheckRequest {
            method: self.header(":method"),
            authority: self.header(":authority"),
            path: self.header(":path"),
            authorization: self.header("authorization"),
        };
        let asked = self.dispatch_grpc_call(
            &self.config.cluster,
            SERVICE,
            METHOD,
            vec![],
            Some(&request.serialized()),
            self.config.timeout(),
        );
        if let Err(status) = asked {
            warn!("`{}` cannot be asked: {status:?}", self.config.cluster);
            return match self.conclude(Verdict::Failed) {
                true => Action::Continue,
                false => Action::Pause,
            };
        }
        // Until the answer comes: `on_grpc_call_response` takes it from there.
        Action::Pause
    }
}

/// Says what a gRPC status comes to.
fn verdict(status: u32) -> Verdict {
    const OK: u32 = GrpcStatusCode::Ok as u32;
    const PERMISSION_DENIED: u32 = GrpcStatusCode::PermissionDenied as u32;
    const UNAUTHENTICATED: u32 = GrpcStatusCode::Unauthenticated as u32;
    match status {
        OK => Verdict::Allowed,
        PERMISSION_DENIED => Verdict::Denied(403),
        UNAUTHENTICATED => Verdict::Denied(401),
        _ => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::{verdict, Verdict};

    #[test]
    fn only_ok_lets_pass() {
        assert_eq!(verdict(0), Verdict::Allowed);
        assert!((1..100).all(|status| verdict(status) != Verdict::Allowed));
    }

    #[test]
    fn a_no_is_another_thing_than_no_answer() {
        assert_eq!(verdict(7), Verdict::Denied(403));
        assert_eq!(verdict(16), Verdict::Denied(401));
        // Unavailable, too late, unknown.
        for status in [14, 4, 2, u32::MAX] {
            assert_eq!(verdict(status), Verdict::Failed);
        }
    }
}
