//! The request to stop, as everybody sees it: a hot loop, a thread that sleeps, a task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// Whether the process, or the part of it that holds a clone, is asked to stop. It never goes back.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    requested: AtomicBool,
    sleepers: (Mutex<()>, Condvar),
    tasks: watch::Sender<bool>,
}

impl Stop {
    /// A stop that nobody has requested yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop; from the second time on it changes nothing.
    pub fn request(&self) {
        let (lock, wake) = &self.0.sleepers;
        {
            // Under the lock, or a thread about to sleep would miss it.
            let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.requested.store(true, Ordering::Release);
        }
        wake.notify_all();
        self.0.tasks.send_replace(true);
    }

    /// Whether to stop. One atomic load: fit for every turn of a loop.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.requested.load(Ordering::Acquire)
    }

    /// Sleeps until it is requested, for at most the given time, and says whether it is.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let (lock, wake) = &self.0.sleepers;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = wake.wait_timeout_while(guard, timeout, |()| !self.requested());
        drop(waited);
        self.requested()
    }

    /// Sleeps until it is requested.
    pub fn wait_blocking(&self) {
        let (lock, wake) = &self.0.sleepers;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(wake.wait_while(guard, |()| !self.requested()));
    }

    /// Resolves when it is requested.
    pub async fn wait(&self) {
        let mut receiver = self.0.tasks.subscribe();
        let waited = receiver.wait_for(|requested| *requested).await;
        waited.expect("the sender lives as long as this stop");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use tokio::time::timeout;

    use super::Stop;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn a_request_is_seen_by_every_clone_and_stays() {
        let stop = Stop::new();
        let clone = stop.clone();
        assert!(!clone.requested());
        stop.request();
        stop.request();
        assert!(clone.requested());
        assert!(!Stop::new().requested(), "another stop is another matter");
    }

    #[test]
    fn threads_that_sleep_are_woken() {
        let stop = Stop::new();
        let started = Instant::now();
        let timed = thread::spawn({
            let stop = stop.clone();
            move || stop.wait_timeout(LONG)
        });
        let (woken, wakes) = mpsc::sync_channel(1);
        let blocked = stop.clone();
        thread::spawn(move || {
            blocked.wait_blocking();
            woken.send(())
        });
        thread::sleep(Duration::from_millis(20));
        stop.request();
        assert!(timed.join().expect("no panic"));
        wakes.recv_timeout(LONG).expect("it is woken");
        assert!(stop.wait_timeout(LONG), "and nobody falls asleep any more");
        assert!(started.elapsed() < LONG);
    }

    #[test]
    fn without_a_request_the_sleep_ends_by_itself() {
        let started = Instant::now();
        assert!(!Stop::new().wait_timeout(Duration::from_millis(20)));
        assert!(started.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test]
    async fn tasks_that_wait_are_woken_before_and_after() {
        let stop = Stop::new();
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.wait().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        stop.request();
        let woken = timeout(LONG, waiting).await.expect("it is woken");
        woken.expect("no panic");
        timeout(LONG, stop.wait()).await.expect("nobody waits any more");
    }
}
