use std::time::Duration;

/// When to send ticks: at an interval, if there is news.
pub(crate) struct Pulse {
    interval: Duration,
    told: Option<Duration>,
    news: bool,
}

impl Pulse {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            told: None,
            news: false,
        }
    }

    /// There is something to tell.
    pub(crate) fn news(&mut self) {
        self.news = true;
    }

    /// Whether it is time to tell.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        let waited = |told: Duration| now.saturating_sub(told) >= self.interval;
        self.news && self.told.is_none_or(waited)
    }

    /// It is told.
    pub(crate) fn told(&mut self, now: Duration) {
        self.told = Some(now);
        self.news = false;
    }
}
