//! Randomness from the operating system.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

/// Draws bytes fit for keys, secrets and nonces.
///
/// # Panics
/// When the operating system has no randomness to give; nothing secret may be made then.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Draws a duration between `least` and `most`.
pub(crate) fn between(least: Duration, most: Duration) -> Duration {
    let fraction = f64::from(u16::from_be_bytes(bytes())) / f64::from(u16::MAX);
    least + most.saturating_sub(least).mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_duration_stays_between_its_bounds() {
        let (least, most) = (Duration::from_millis(800), Duration::from_millis(1_000));
        for _ in 0..1_000 {
            let drawn = between(least, most);
            assert!(least <= drawn && drawn <= most, "{drawn:?}");
        }
        assert_eq!(between(most, least), most);
    }
}
