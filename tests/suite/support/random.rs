//! Random values that are the same in every run, or others where `KPKI_TEST_SEED` says so.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Endless values of a strategy. A failing test's output has the seed.
pub fn values<S: Strategy>(strategy: S) -> impl Iterator<Item = S::Value> {
    let seed: u64 = std::env::var("KPKI_TEST_SEED").map_or(0, |seed| seed.parse().unwrap());
    println!("KPKI_TEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    std::iter::repeat_with(move || strategy.new_tree(&mut runner).unwrap().current())
}
