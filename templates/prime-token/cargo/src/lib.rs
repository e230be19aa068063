#![forbid(unsafe_code)]

mod config;
mod prime;

use config::Config;
use log::{error, info};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::rc::Rc;

const REFUSAL_STATUS: u32 = 403;
const REFUSAL_HEADERS: [(&str, &str); 1] = [("powered-by", "proxy-wasm")];
const REFUSAL_BODY: &str = "Access forbidden.\n";

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
        Some(Box::new(PrimeToken {
            config: Rc::clone(&self.config),
        }))
    }
}

/// One request.
struct PrimeToken {
    config: Rc<Config>,
}

impl PrimeToken {
    /// Returns the request's token, if there is exactly one.
    ///
    /// To ask for a header by its name brings the first of several, and the server may heed another.
    fn token(&self) -> Option<Vec<u8>> {
        // As bytes: a header value need not be UTF-8, and where it is not, text would be a panic.
        let headers = self.get_http_request_headers_bytes().into_iter();
        let mut tokens = headers.filter(|(name, _)| name.eq_ignore_ascii_case(&self.config.header));
        let (_, token) = tokens.next()?;
        tokens.next().is_none().then_some(token)
    }
}

impl Context for PrimeToken {}

impl HttpContext for PrimeToken {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let number = self.token().as_deref().and_then(number);
        if number.is_some_and(prime::is_prime) {
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

/// Returns the number of up to 128 bits that a token spells in decimal digits.
///
/// A number has one spelling, without sign, blanks and leading zeros. Longer ones than the longest
/// are not looked at: what comes from outside decides how much work there is.
fn number(token: &[u8]) -> Option<u128> {
    const LONGEST: usize = 39;
    let spells = token.len() <= LONGEST && token.iter().all(u8::is_ascii_digit);
    if !spells || (token.len() > 1 && token[0] == b'0') {
        return None;
    }
    std::str::from_utf8(token).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_its_decimal_digits() {
        for (token, value) in [
            ("0", 0),
            ("7", 7),
            ("340282366920938463463374607431768211455", u128::MAX),
        ] {
            assert_eq!(number(token.as_bytes()), Some(value));
        }
    }

    #[test]
    fn anything_else_is_none() {
        let long = "7".repeat(60_000);
        for token in [
            &b""[..],
            b"+7",
            b"-7",
            b"007",
            b" 7",
            b"7 ",
            b"7.0",
            b"0x7",
            b"1e3",
            b"1_000",
            b"seven",
            b"7\0",
            b"\xff",
            "\u{667}".as_bytes(), // a seven in Arabic digits
            b"340282366920938463463374607431768211456",
            b"999999999999999999999999999999999999999",
            b"0000000000000000000000000000000000000007",
            long.as_bytes(),
        ] {
            assert_eq!(number(token), None, "{token:?}");
        }
    }
}
