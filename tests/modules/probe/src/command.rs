//! Commands, and those that mean the same wherever they stand.

use crate::failures;
use log::{debug, error, info, trace, warn};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::Context;
use proxy_wasm::types::{LogLevel, MetricType};
use std::time::Duration;

/// One command: a verb and its words.
#[derive(Clone)]
pub struct Command(String);

impl Command {
    pub fn of(text: &str) -> Self {
        Command(text.trim().to_string())
    }

    pub fn words(&self) -> Vec<&str> {
        self.0.split(' ').collect()
    }

    pub fn verb(&self) -> &str {
        self.words()[0]
    }

    /// Returns all from the word of this number on.
    pub fn rest(&self, first: usize) -> String {
        self.words()[first..].join(" ")
    }
}

/// Returns the commands in a text, which are separated by `;`.
pub fn parse(text: &str) -> Vec<Command> {
    text.split(';')
        .map(Command::of)
        .filter(|command| !command.0.is_empty())
        .collect()
}

/// Does what a command says; commands that mean nothing here are left alone.
pub fn act(context: &dyn Context, command: &Command) {
    match command.words().as_slice() {
        ["log", level, ..] => log_line(level, &command.rest(2)),
        ["count", name] => move_metric(MetricType::Counter, name, 1),
        ["gauge", name, value] => {
            move_metric(MetricType::Gauge, name, value.parse().expect("a number"))
        }
        ["call", cluster, method, path] => {
            call(context, cluster, method, path);
        }
        ["trap"] => failures::trap(),
        ["panic", ..] => failures::panic(&command.rest(1)),
        ["loop"] => failures::run_for_ever(),
        ["allocate"] => failures::allocate_without_end(),
        _ => {}
    }
}

/// Asks a cluster; says whether there was anybody to ask.
pub fn call(context: &dyn Context, cluster: &str, method: &str, path: &str) -> bool {
    let headers = vec![
        (":method", method),
        (":path", path),
        (":authority", cluster),
    ];
    let asked = context.dispatch_http_call(cluster, headers, None, vec![], Duration::from_secs(2));
    if let Err(status) = asked {
        error!("no call to {cluster}: {status:?}");
    }
    asked.is_ok()
}

fn log_line(level: &str, text: &str) {
    match level {
        "trace" => trace!("{text}"),
        "debug" => debug!("{text}"),
        "info" => info!("{text}"),
        "warn" => warn!("{text}"),
        "error" => error!("{text}"),
        _ => hostcalls::log(LogLevel::Critical, text).expect("the host logs"),
    }
}

fn move_metric(kind: MetricType, name: &str, value: u64) {
    let metric = hostcalls::define_metric(kind, name).expect("the host defines metrics");
    match kind {
        MetricType::Counter => hostcalls::increment_metric(metric, value as i64),
        _ => hostcalls::record_metric(metric, value),
    }
    .expect("the metric is defined");
}
