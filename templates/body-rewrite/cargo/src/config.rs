//! The configuration of the plug-in; config.schema.json says the same to people and tools.

use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    pub find: String,
    pub replace: String,
    pub bodies: Bodies,
    pub mode: Mode,
    /// How much of a body is held at most.
    pub max_bytes: u32,
    pub over_limit: OverLimit,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bodies {
    Request,
    Response,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A body is held until its end.
    Whole,
    /// A chunk is held only where its end may be the beginning of the text.
    Chunks,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverLimit {
    Refuse,
    Pass,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            find: "secret".to_string(),
            replace: "******".to_string(),
            bodies: Bodies::Both,
            mode: Mode::Whole,
            max_bytes: 512 * 1024,
            over_limit: OverLimit::Refuse,
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
        if config.find.is_empty() {
            return Err("`find` is empty".to_string());
        }
        if config.max_bytes == 0 {
            return Err("`max-bytes` is 0".to_string());
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Mode};

    #[test]
    fn without_a_configuration_the_defaults_hold() {
        assert_eq!(Config::parse(b""), Ok(Config::default()));
        assert_eq!(Config::parse(b"{}"), Ok(Config::default()));
    }

    #[test]
    fn what_is_configured_takes_the_place_of_a_default() {
        let config = Config::parse(br#"{"mode": "chunks", "max-bytes": 7}"#).unwrap();
        assert_eq!((config.mode, config.max_bytes), (Mode::Chunks, 7));
        assert_eq!(config.find, "secret");
    }

    #[test]
    fn a_bad_configuration_is_refused_with_the_reason() {
        for (json, reason) in [
            ("secret", "it is no JSON object"),
            (r#"["secret", "******"]"#, "it is no JSON object"),
            (r#"{"find": 7}"#, "expected a string"),
            (r#"{"find": ""}"#, "`find` is empty"),
            (r#"{"max_bytes": 7}"#, "unknown field `max_bytes`"),
            (r#"{"max-bytes": 0}"#, "`max-bytes` is 0"),
            (r#"{"max-bytes": -1}"#, "invalid value"),
            (r#"{"mode": "half"}"#, "unknown variant `half`"),
            (r#"{"over-limit": "drop"}"#, "unknown variant `drop`"),
        ] {
            let said = Config::parse(json.as_bytes()).unwrap_err();
            assert!(said.contains(reason), "{json}: {said}");
        }
    }
}
