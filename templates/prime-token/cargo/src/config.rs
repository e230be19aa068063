//! The configuration of the plug-in; config.schema.json says the same to people and tools.

use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub header: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            header: "token".to_string(),
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
        if config.header.is_empty() {
            return Err("`header` is empty".to_string());
        }
        Ok(config)
    }
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
    fn a_bad_configuration_is_refused_with_the_reason() {
        for (json, reason) in [
            ("token", "it is no JSON object"),
            (r#"["token"]"#, "it is no JSON object"),
            (r#"{"header": 7}"#, "expected a string"),
            (r#"{"heder": "x"}"#, "unknown field `heder`"),
            (r#"{"header": ""}"#, "`header` is empty"),
        ] {
            let said = Config::parse(json.as_bytes()).unwrap_err();
            assert!(said.contains(reason), "{json}: {said}");
        }
    }
}
