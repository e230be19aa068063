//! A plug-in that does what it is told; README.md lists the commands.

mod body;
mod command;
mod failures;
mod http;
mod tcp;

use command::{act, parse, Command};
use log::{error, info};
use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::{ContextType, LogLevel};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::new(Probe::default()));
}}

/// What the plug-in is configured with.
#[derive(Default)]
struct Probe {
    configuration: String,
    vm_configuration: String,
    on_tick: Vec<Command>,
    tcp: Option<(String, String)>,
}

impl Context for Probe {
    fn on_http_call_response(&mut self, _: u32, _: usize, _: usize, _: usize) {
        let status = self.get_http_call_response_header(":status");
        info!("answered {}", status.unwrap_or_default());
    }
}

impl RootContext for Probe {
    fn on_vm_start(&mut self, _: usize) -> bool {
        self.vm_configuration = text(self.get_vm_configuration());
        refusal(&parse(&self.vm_configuration)).is_none()
    }

    fn on_configure(&mut self, _: usize) -> bool {
        self.configuration = text(self.get_plugin_configuration());
        if self.configuration.starts_with('{') {
            return true;
        }
        let commands = parse(&self.configuration);
        for command in &commands {
            match command.words().as_slice() {
                ["tick", milliseconds, rest @ ..] => {
                    let period = milliseconds.parse().expect("a number of milliseconds");
                    self.set_tick_period(Duration::from_millis(period));
                    self.on_tick.push(Command::of(&rest.join(" ")));
                }
                ["tcp", old, new] => self.tcp = Some((old.to_string(), new.to_string())),
                ["refuse", ..] => {}
                _ => act(self, command),
            }
        }
        refusal(&commands).is_none()
    }

    fn on_tick(&mut self) {
        for command in self.on_tick.clone() {
            act(self, &command);
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(match self.tcp {
            Some(_) => ContextType::StreamContext,
            None => ContextType::HttpContext,
        })
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(http::Exchange::new(
            &self.configuration,
            &self.vm_configuration,
        )))
    }

    fn create_stream_context(&self, _: u32) -> Option<Box<dyn StreamContext>> {
        let (old, new) = self.tcp.clone()?;
        Some(Box::new(tcp::Conversation { old, new }))
    }
}

/// Logs why the configuration is refused, if a command says so.
fn refusal(commands: &[Command]) -> Option<()> {
    let refuse = commands.iter().find(|command| command.verb() == "refuse")?;
    error!("{}", refuse.rest(1));
    Some(())
}

fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}
