//! One request and its response.

use crate::body::replaced;
use crate::command::{act, call, parse, Command};
use crate::failures;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The requests that this VM has seen.
static REQUESTS: AtomicU32 = AtomicU32::new(0);

pub struct Exchange {
    configuration: String,
    vm_configuration: String,
    request: Vec<Command>,
    response: Vec<Command>,
    waiting: u32,
    answered: bool,
}

impl Exchange {
    pub fn new(configuration: &str, vm_configuration: &str) -> Self {
        Exchange {
            configuration: configuration.to_string(),
            vm_configuration: vm_configuration.to_string(),
            request: vec![],
            response: vec![],
            waiting: 0,
            answered: false,
        }
    }

    fn read_commands(&mut self) {
        let told = self.get_http_request_header("x-do").unwrap_or_default();
        for command in parse(&told) {
            match command.verb().strip_prefix("response-") {
                Some(_) => self
                    .response
                    .push(Command::of(&command.words().join(" ")["response-".len()..])),
                None if command.verb() == "report" => self.response.push(command),
                None => self.request.push(command),
            }
        }
    }

    fn respond(&mut self, status: &str, body: &[u8]) {
        let status = status.parse().expect("a status");
        self.answered = true;
        self.send_http_response(status, vec![("content-type", "text/plain")], Some(body));
    }

    fn ask_over_grpc(&mut self, cluster: &str, method: &str, message: &str) {
        let (service, method) = method.split_once('/').expect("SERVICE/METHOD");
        let message = Some(message.as_bytes());
        let asked = self.dispatch_grpc_call(
            cluster,
            service,
            method,
            vec![],
            message,
            Duration::from_secs(2),
        );
        match asked {
            Ok(_) => self.waiting += 1,
            Err(status) => log::error!("no gRPC call to {cluster}: {status:?}"),
        }
    }

    fn replace_in_request(&self, old: &str, new: &str) {
        let data = self
            .get_http_request_body(0, usize::MAX)
            .unwrap_or_default();
        self.set_http_request_body(0, usize::MAX, &replaced(&data, old, new));
    }

    fn replace_in_response(&self, old: &str, new: &str) {
        let data = self
            .get_http_response_body(0, usize::MAX)
            .unwrap_or_default();
        self.set_http_response_body(0, usize::MAX, &replaced(&data, old, new));
    }

    fn go_on(&mut self) {
        self.waiting -= 1;
        if self.waiting == 0 && !self.answered {
            self.resume_http_request();
        }
    }

    /// Says what becomes of the request, or of more of it, now.
    fn pace(&self) -> Action {
        match self.waiting > 0 || self.answered {
            true => Action::Pause,
            false => Action::Continue,
        }
    }

    fn report(&self) {
        let requests = REQUESTS.load(Ordering::Relaxed).to_string();
        let mut environment: Vec<String> = std::env::vars()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        environment.sort();
        self.set_http_response_header("x-requests", Some(&requests));
        self.set_http_response_header("x-configuration", Some(&self.configuration));
        self.set_http_response_header("x-vm-configuration", Some(&self.vm_configuration));
        self.set_http_response_header("x-environment", Some(&environment.join(",")));
    }
}

/// Returns the words of the command with a verb, if it is among them.
fn find<'a>(commands: &'a [Command], verb: &str) -> Option<(&'a str, String)> {
    let command = commands.iter().find(|command| command.verb() == verb)?;
    Some((command.words()[1], command.rest(2)))
}

impl Context for Exchange {
    fn on_http_call_response(&mut self, _: u32, _: usize, size: usize, _: usize) {
        let status = self.get_http_call_response_header(":status");
        if status.as_deref() != Some("200") {
            let body = self
                .get_http_call_response_body(0, size)
                .unwrap_or_default();
            self.respond("403", &body);
        }
        self.go_on();
    }

    fn on_grpc_call_response(&mut self, _: u32, status: u32, size: usize) {
        if status == 0 {
            let reply = self
                .get_grpc_call_response_body(0, size)
                .unwrap_or_default();
            self.set_http_request_header_bytes("x-grpc", Some(&reply));
        } else {
            let (_, message) = self.get_grpc_status();
            let text = format!("{status} {}", message.unwrap_or_default());
            self.respond("403", text.as_bytes());
        }
        self.go_on();
    }
}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
        self.read_commands();
        for command in self.request.clone() {
            match command.words().as_slice() {
                ["set", name, ..] => self.set_http_request_header(name, Some(&command.rest(2))),
                ["add", name, ..] => self.add_http_request_header(name, &command.rest(2)),
                ["remove", name] => self.set_http_request_header(name, None),
                // What comes is not as long as what was announced.
                ["replace" | "replace-chunks", ..] => {
                    self.set_http_request_header("content-length", None)
                }
                ["respond", status, ..] => self.respond(status, command.rest(2).as_bytes()),
                ["call", cluster, method, path] => {
                    self.waiting += u32::from(call(self, cluster, method, path));
                }
                ["grpc", cluster, method, ..] => {
                    self.ask_over_grpc(cluster, method, &command.rest(3))
                }
                ["trap-at", at] if at.parse() == Ok(number) => failures::trap(),
                _ => act(self, &command),
            }
        }
        self.pace()
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if let Some((old, new)) = find(&self.request, "replace-chunks") {
            let data = self.get_http_request_body(0, size).unwrap_or_default();
            self.set_http_request_body(0, size, &replaced(&data, old, &new));
        }
        if let Some((old, new)) = find(&self.request, "replace") {
            if !end_of_stream {
                return Action::Pause;
            }
            self.replace_in_request(old, &new);
        }
        self.pace()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if let Some((old, new)) = find(&self.request, "replace") {
            self.replace_in_request(old, &new);
        }
        if let Some((name, value)) = find(&self.request, "trailer") {
            self.set_http_request_trailer(name, Some(&value));
        }
        self.pace()
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        for command in self.response.clone() {
            match command.words().as_slice() {
                ["report"] => self.report(),
                ["set", name, ..] => self.set_http_response_header(name, Some(&command.rest(2))),
                ["add", name, ..] => self.add_http_response_header(name, &command.rest(2)),
                ["remove", name] => self.set_http_response_header(name, None),
                ["replace" | "replace-chunks", ..] => {
                    self.set_http_response_header("content-length", None)
                }
                _ => act(self, &command),
            }
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if let Some((old, new)) = find(&self.response, "replace-chunks") {
            let data = self.get_http_response_body(0, size).unwrap_or_default();
            self.set_http_response_body(0, size, &replaced(&data, old, &new));
        }
        if let Some((old, new)) = find(&self.response, "replace") {
            if !end_of_stream {
                return Action::Pause;
            }
            self.replace_in_response(old, &new);
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if let Some((old, new)) = find(&self.response, "replace") {
            self.replace_in_response(old, &new);
        }
        if let Some((name, value)) = find(&self.response, "trailer") {
            self.set_http_response_trailer(name, Some(&value));
        }
        Action::Continue
    }
}
