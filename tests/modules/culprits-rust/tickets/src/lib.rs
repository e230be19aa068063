//! Tickets, no two of which are the same.

#[inline(never)]
pub fn ticket() -> String {
    uuid::Uuid::new_v4().to_string()
}
