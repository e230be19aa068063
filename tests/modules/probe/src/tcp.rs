//! Connections, where the plug-in is a network filter.

use crate::body::replaced;
use log::info;
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::{Action, PeerType};

pub struct Conversation {
    pub old: String,
    pub new: String,
}

impl Context for Conversation {}

impl StreamContext for Conversation {
    fn on_new_connection(&mut self) -> Action {
        info!("connected");
        Action::Continue
    }

    fn on_downstream_data(&mut self, size: usize, _: bool) -> Action {
        if let Some(data) = self.get_downstream_data(0, size) {
            self.set_downstream_data(0, size, &replaced(&data, &self.old, &self.new));
        }
        Action::Continue
    }

    fn on_downstream_close(&mut self, _: PeerType) {
        info!("closed");
    }
}
