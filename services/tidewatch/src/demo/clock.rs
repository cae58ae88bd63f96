use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use event::Timestamp;

/// The time within the demo: that of the lines while they are replayed, and after that it passes as it does for
/// everybody. It never goes back.
pub(super) struct Clock {
    /// In milliseconds.
    replayed: AtomicI64,
    /// When time began to pass by itself, on this clock and on the stopwatch.
    live: OnceLock<(Timestamp, Instant)>,
}

impl Clock {
    pub(super) fn new(begin: Timestamp) -> Self {
        Self {
            replayed: AtomicI64::new(begin.as_millis()),
            live: OnceLock::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        match self.live.get() {
            Some((at, since)) => at.plus(since.elapsed()),
            None => Timestamp::from_millis(self.replayed.load(Ordering::Relaxed)),
        }
    }

    /// The replay is this far.
    pub(super) fn advance(&self, to: Timestamp) {
        self.replayed.fetch_max(to.as_millis(), Ordering::Relaxed);
    }

    /// Time passes by itself from now on: from `wall`, or from the last line if that claims to be later.
    pub(super) fn go_live(&self, wall: Timestamp) {
        let at = wall.max(self.now());
        self.live.get_or_init(|| (at, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let moment = Timestamp::from_millis;
        let clock = Clock::new(moment(1_000));
        clock.advance(moment(5_000));
        clock.advance(moment(3_000));
        assert_eq!(clock.now(), moment(5_000));
        clock.go_live(moment(4_000));
        assert!(clock.now() >= moment(5_000), "the wall is behind the last line");
        clock.advance(moment(i64::MAX));
        assert!(clock.now() < moment(60_000), "a replay moves it no more");
    }

    #[test]
    fn it_goes_on_with_the_wall() {
        let clock = Clock::new(Timestamp::from_millis(0));
        clock.go_live(Timestamp::from_millis(9_000));
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(clock.now() >= Timestamp::from_millis(9_005));
    }
}
