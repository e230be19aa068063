//! The configuration of the plug-in; config.schema.json says the same to people and tools.

use crate::{HEADER, REFUSAL_BODY, REFUSAL_STATUS, VALUE};
use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub header: String,
    pub value: String,
    pub status: u32,
    pub body: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            header: HEADER.to_string(),
            value: VALUE.to_string(),
            status: REFUSAL_STATUS,
            body: REFUSAL_BODY.to_string(),
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
        if !is_header_name(&config.header) {
            return Err("`header` is no name of a header".to_string());
        }
        // To some proxies a header without a value is as good as none.
        if config.value.is_empty() {
            return Err("`value` is empty".to_string());
        }
        if !(400..=599).contains(&config.status) {
            return Err("`status` is not between 400 and 599".to_string());
        }
        Ok(config)
    }

    /// Says whether a request whose header has this value may pass.
    pub fn allows(&self, value: Option<&[u8]>) -> bool {
        value == Some(self.value.as_bytes())
    }
}

/// Says whether a header may be called that: RFC 9110, section 5.6.2.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn without_a_configuration_the_defaults_hold() {
        assert_eq!(Config::parse(b""), Ok(Config::default()));
        assert_eq!(Config::parse(b"{}"), Ok(Config::default()));
    }

    #[test]
    fn what_is_configured_takes_the_place_of_a_default() {
        let config = Config::parse(br#"{"header": "x-token", "status": 401}"#).unwrap();
        assert_eq!((config.header.as_str(), config.status), ("x-token", 401));
        assert_eq!(config.value, "true");
    }

    #[test]
    fn a_bad_configuration_is_refused_with_the_reason() {
        for (json, reason) in [
            ("allow", "it is no JSON object"),
            (r#"["x-token"]"#, "it is no JSON object"),
            (r#"{"header": "x""#, "EOF"),
            (r#"{"header": 7}"#, "expected a string"),
            (r#"{"heder": "x"}"#, "unknown field `heder`"),
            (r#"{"header": "two words"}"#, "`header` is no name"),
            (r#"{"header": ""}"#, "`header` is no name"),
            (r#"{"value": ""}"#, "`value` is empty"),
            (r#"{"status": 200}"#, "`status` is not between"),
            (r#"{"status": -1}"#, "invalid value"),
            (r#"{} {}"#, "trailing characters"),
        ] {
            let said = Config::parse(json.as_bytes()).unwrap_err();
            assert!(said.contains(reason), "{json}: {said}");
        }
    }

    #[test]
    fn exactly_the_value_passes() {
        let config = Config::default();
        assert!(config.allows(Some(b"true")));
        for value in [&b""[..], b"TRUE", b"true ", b"false", b"\xff"] {
            assert!(!config.allows(Some(value)), "{value:?}");
        }
        assert!(!config.allows(None));
    }
}
