//! The configuration of the plug-in; config.schema.json says the same to people and tools.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Headers that say where a message goes and where it ends: proxies need them as they are.
const KEPT: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub request: Changes,
    pub response: Changes,
}

/// Changes of a message's headers: first those of `remove` go, then those of `add` come.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Changes {
    pub add: BTreeMap<String, String>,
    pub remove: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            request: Changes::default(),
            response: Changes {
                add: [("powered-by".to_string(), "proxy-wasm".to_string())].into(),
                remove: vec!["x-powered-by".to_string()],
            },
        }
    }
}

impl Config {
    /// Reads a configuration, or says what is wrong with it. None at all leaves the defaults.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        if json.is_empty() {
            return Ok(Config::default());
        }
        // serde would take a list for the fields in their order.
        if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err("it is no JSON object".to_string());
        }
        let config: Config = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        config.request.check("request")?;
        config.response.check("response")?;
        Ok(config)
    }
}

impl Changes {
    /// Says what a proxy could not do with these; `place` is where they stand.
    fn check(&self, place: &str) -> Result<(), String> {
        for name in self.add.keys().chain(&self.remove) {
            if !is_header_name(name) {
                return Err(format!(
                    "`{name}` in `{place}` is no header's name in lower case"
                ));
            }
            if KEPT.contains(&name.as_str()) {
                return Err(format!("`{name}` in `{place}` has to stay as it is"));
            }
        }
        match self.add.iter().find(|(_, value)| !is_header_value(value)) {
            Some((name, _)) => Err(format!(
                "the value of `{name}` in `{place}` has control characters"
            )),
            None => Ok(()),
        }
    }
}

/// Says whether a header may be called that (RFC 9110, section 5.6.2). In HTTP/2 and in proxies
/// names are in lower case, and those that begin with a colon are the request line.
fn is_header_name(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    !name.is_empty() && name.bytes().all(allowed)
}

/// Says whether a header may have that value: a line break would begin another header.
fn is_header_value(value: &str) -> bool {
    !value
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn without_a_configuration_the_defaults_hold() {
        let default = Config::parse(b"").unwrap();
        assert_eq!(default.response.add["powered-by"], "proxy-wasm");
        assert_eq!(Config::parse(b"{}"), Ok(default));
    }

    #[test]
    fn what_is_configured_takes_the_place_of_a_default() {
        let json = br#"{"request": {"add": {"x-b": "2", "x-a": "1"}}, "response": {}}"#;
        let config = Config::parse(json).unwrap();
        let added: Vec<_> = config.request.add.into_iter().collect();
        let expected = [("x-a", "1"), ("x-b", "2")].map(|(a, b)| (a.to_string(), b.to_string()));
        assert_eq!(added, expected);
        assert!(config.response.add.is_empty() && config.response.remove.is_empty());
    }

    #[test]
    fn a_bad_configuration_is_refused_with_the_reason() {
        for (json, reason) in [
            ("x-a: 1", "it is no JSON object"),
            (r#"[{}, {}]"#, "it is no JSON object"),
            (r#"{"requests": {}}"#, "unknown field `requests`"),
            (r#"{"request": {"set": {}}}"#, "unknown field `set`"),
            (r#"{"request": {"add": ["x-a"]}}"#, "expected a map"),
            (r#"{"request": {"add": {"x-a": 1}}}"#, "expected a string"),
            (r#"{"request": {"remove": "x-a"}}"#, "expected a sequence"),
            (
                r#"{"request": {"remove": [""]}}"#,
                "`` in `request` is no header's name",
            ),
            (
                r#"{"response": {"remove": ["X-A"]}}"#,
                "`X-A` in `response` is no",
            ),
            (
                r#"{"request": {"add": {":path": "/"}}}"#,
                "`:path` in `request` is no",
            ),
            (
                r#"{"request": {"remove": ["host"]}}"#,
                "`host` in `request` has to stay",
            ),
            (
                r#"{"request": {"add": {"x-a": "1\r\nx-b: 2"}}}"#,
                "`x-a` in `request` has control",
            ),
        ] {
            let said = Config::parse(json.as_bytes()).unwrap_err();
            assert!(said.contains(reason), "{json}: {said}");
        }
    }
}
