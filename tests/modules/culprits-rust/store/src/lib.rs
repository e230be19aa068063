//! Places where things are kept.

pub trait Store {
    fn get(&self, name: &str) -> String;
}

pub struct Nothing;

impl Store for Nothing {
    fn get(&self, _name: &str) -> String {
        String::new()
    }
}

/// A folder of things.
pub struct Disk(pub String);

impl Store for Disk {
    fn get(&self, name: &str) -> String {
        std::fs::read_to_string(format!("{}/{name}", self.0)).unwrap_or_default()
    }
}
