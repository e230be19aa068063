//! Ways to fail. Each is a function of its own, so that backtraces have names to show.

use std::hint::black_box;

#[inline(never)]
pub fn trap() {
    descend(3);
}

#[inline(never)]
fn descend(depth: u32) {
    if black_box(depth) == 0 {
        core::arch::wasm32::unreachable();
    }
    descend(depth - 1);
    black_box(depth);
}

#[inline(never)]
pub fn panic(text: &str) {
    panic!("{text}");
}

pub fn run_for_ever() {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Never writes to what it gets, so that the machine's own memory is hardly used.
pub fn allocate_without_end() {
    loop {
        std::mem::forget(black_box(Vec::<u8>::with_capacity(16 << 20)));
    }
}
