//! The configuration of the plug-in; config.schema.json says the same to people and tools.

use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Envoy's name of the service that is asked.
    pub cluster: String,
    timeout_ms: u64,
    pub failure_policy: FailurePolicy,
}

/// What becomes of a request when there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailurePolicy {
    /// It is refused.
    Closed,
    /// It passes.
    Open,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cluster: "authz".to_string(),
            timeout_ms: 500,
            failure_policy: FailurePolicy::Closed,
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
        if config.cluster.is_empty() {
            return Err("`cluster` is empty".to_string());
        }
        if !(1..=60_000).contains(&config.timeout_ms) {
            return Err("`timeout-ms` is not between 1 and 60000".to_string());
        }
        Ok(config)
    }

    /// How long a request waits for the answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, FailurePolicy};
    use std::time::Duration;

    #[test]
    fn without_a_configuration_the_defaults_hold() {
        assert_eq!(Config::parse(b""), Ok(Config::default()));
        assert_eq!(Config::parse(b"{}"), Ok(Config::default()));
    }

    #[test]
    fn what_is_configured_takes_the_place_of_a_default() {
        let config = Config::parse(br#"{"timeout-ms": 20, "failure-policy": "open"}"#).unwrap();
        assert_eq!(config.timeout(), Duration::from_millis(20));
        assert_eq!(config.failure_policy, FailurePolicy::Open);
        assert_eq!(config.cluster, "authz");
    }

    #[test]
    fn a_bad_configuration_is_refused_with_the_reason() {
        for (json, reason) in [
            ("authz", "it is no JSON object"),
            (r#"["authz"]"#, "it is no JSON object"),
            (r#"{"cluster": 7}"#, "expected a string"),
            (r#"{"cluster": ""}"#, "`cluster` is empty"),
            (r#"{"clusters": "x"}"#, "unknown field `clusters`"),
            (r#"{"timeout-ms": 0}"#, "`timeout-ms` is not between"),
            (r#"{"timeout-ms": 60001}"#, "`timeout-ms` is not between"),
            (r#"{"timeout-ms": "1s"}"#, "expected u64"),
            (r#"{"failure-policy": "ajar"}"#, "unknown variant `ajar`"),
        ] {
            let said = Config::parse(json.as_bytes()).unwrap_err();
            assert!(said.contains(reason), "{json}: {said}");
        }
    }
}
