//! Ports for servers of the tests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that Linux and macOS take a connection's own port from, so that nobody gets one of these by chance.
const FIRST: u16 = 18_000;
const LAST: u16 = 24_999;

/// Above [`LAST`]: ranges of ports for one cluster each.
const RANGES: u16 = 23;
const RANGE: u16 = 300;

static NEXT: AtomicU16 = AtomicU16::new(0);
static NEXT_RANGE: AtomicU16 = AtomicU16::new(0);

/// The first port of a range in which those at the given offsets (below 300) are free. No two calls of a test run get the
/// same range.
pub fn range(offsets: &[u16]) -> u16 {
    let start = (std::process::id() % u32::from(RANGES)) as u16;
    for _ in 0..RANGES {
        let at = (start + NEXT_RANGE.fetch_add(1, Ordering::Relaxed)) % RANGES;
        let first = LAST + 1 + at * RANGE;
        let bound: Vec<_> = offsets
            .iter()
            .map(|offset| TcpListener::bind(("127.0.0.1", first + offset)))
            .collect();
        if bound.iter().all(Result::is_ok) {
            return first;
        }
    }
    panic!("no range of free ports above {LAST}");
}

/// `N` different ports on 127.0.0.1 that nothing listens on. No two calls of a test run get the same one.
pub fn free<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| free_port())
}

fn free_port() -> u16 {
    let span = LAST - FIRST + 1;
    // Test runs beside this one start elsewhere.
    let start = (std::process::id() % u32::from(span)) as u16;
    for _ in 0..span {
        let offset =
            (u32::from(start) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(span);
        let port = FIRST + offset as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {LAST}");
}
