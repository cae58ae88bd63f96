//! Remembers receipts for a while, so that a body that comes again is answered and not written again.
//!
//! A client that got no answer asks again, maybe while its first request is still being written: then both get the
//! one answer. Only what was accepted is remembered; what failed may be tried anew at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// What remembering a receipt costs beside its own bytes.
const OVERHEAD_BYTES: usize = 256;

pub(crate) struct Receipts {
    /// Keys may be a client's own words: a tree is as fast for the worst of them as for any.
    inner: Mutex<Inner>,
    window: Duration,
    bytes_max: usize,
}

#[derive(Default)]
struct Inner {
    requests: BTreeMap<Digest, Request>,
    /// The accepted ones by age, the oldest first.
    ages: VecDeque<(Duration, Digest)>,
    bytes: usize,
}

struct Request {
    body: Digest,
    receipt: watch::Receiver<Option<Bytes>>,
}

/// What is known of a request.
pub(crate) enum Seen {
    /// Nothing: it is to be written, and what becomes of it to be told.
    First(Claim),
    /// It came before: its receipt is there, or will be.
    Again(Again),
    /// Another body came with the same key.
    Other,
}

/// The right to write a request. Dropped without a receipt, it makes room for another attempt.
pub(crate) struct Claim {
    receipts: Arc<Receipts>,
    key: Digest,
    answer: watch::Sender<Option<Bytes>>,
    is_accepted: bool,
}

/// An answer that somebody else gets first.
pub(crate) struct Again(watch::Receiver<Option<Bytes>>);

impl Receipts {
    pub(crate) fn new(window: Duration, bytes_max: usize) -> Self {
        Self {
            inner: Mutex::default(),
            window,
            bytes_max,
        }
    }

    /// Whether a request of that key came before.
    pub(crate) fn see(self: &Arc<Self>, key: Digest, body: Digest, now: Duration) -> Seen {
        let mut inner = self.lock();
        inner.forget_older(now.saturating_sub(self.window));
        match inner.requests.get(&key) {
            Some(request) if request.body == body => Seen::Again(Again(request.receipt.clone())),
            Some(_) => Seen::Other,
            None => {
                let (answer, receipt) = watch::channel(None);
                inner.requests.insert(key, Request { body, receipt });
                Seen::First(Claim {
                    receipts: self.clone(),
                    key,
                    answer,
                    is_accepted: false,
                })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change under the lock is complete, whoever panicked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget_older(&mut self, than: Duration) {
        while self.ages.front().is_some_and(|(at, _)| *at < than) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, key)) = self.ages.pop_front() else { return };
        if let Some(request) = self.requests.remove(&key) {
            self.bytes -= cost(request.receipt.borrow().as_ref());
        }
    }
}

fn cost(receipt: Option<&Bytes>) -> usize {
    OVERHEAD_BYTES + receipt.map_or(0, Bytes::len)
}

impl Claim {
    /// Everything is written: whoever asks again is told `receipt`. Returns how many receipts were forgotten before
    /// their time to make room for it.
    pub(crate) fn accept(mut self, receipt: &Bytes, now: Duration) -> u64 {
        self.is_accepted = true;
        let mut inner = self.receipts.lock();
        inner.bytes += cost(Some(receipt));
        inner.ages.push_back((now, self.key));
        // Under the lock: a receipt that is counted is there.
        self.answer.send_replace(Some(receipt.clone()));
        let mut forgotten = 0;
        while inner.bytes > self.receipts.bytes_max {
            inner.forget_oldest();
            forgotten += 1;
        }
        forgotten
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_accepted {
            self.receipts.lock().requests.remove(&self.key);
        }
    }
}

impl Again {
    /// The receipt, as soon as it is there. `None` if the other request failed.
    pub(crate) async fn receipt(mut self) -> Option<Bytes> {
        let receipt = self.0.wait_for(Option::is_some).await.ok()?;
        receipt.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;

    use super::{Again, Claim, OVERHEAD_BYTES, Receipts, Seen};

    const WINDOW: Duration = Duration::from_mins(10);
    const SECOND: Duration = Duration::from_secs(1);

    fn receipts() -> Arc<Receipts> {
        Arc::new(Receipts::new(WINDOW, 2 * (OVERHEAD_BYTES + 1)))
    }

    fn first(receipts: &Arc<Receipts>, key: u8, now: Duration) -> Claim {
        match receipts.see([key; 32], [0; 32], now) {
            Seen::First(claim) => claim,
            Seen::Again(_) | Seen::Other => panic!("{key} is not new"),
        }
    }

    fn again(receipts: &Arc<Receipts>, key: u8, now: Duration) -> Again {
        match receipts.see([key; 32], [0; 32], now) {
            Seen::Again(again) => again,
            Seen::First(_) | Seen::Other => panic!("{key} is not known"),
        }
    }

    #[tokio::test]
    async fn a_receipt_is_remembered_for_the_window_and_no_longer() {
        let receipts = receipts();
        assert_eq!(first(&receipts, 1, SECOND).accept(&Bytes::from_static(b"a"), SECOND), 0);
        let known = again(&receipts, 1, SECOND + WINDOW).receipt().await;
        assert_eq!(known.as_deref(), Some(&b"a"[..]));
        drop(first(&receipts, 1, SECOND + WINDOW + Duration::from_millis(1)));
    }

    #[tokio::test]
    async fn who_asks_meanwhile_waits_for_the_first() {
        let receipts = receipts();
        let claim = first(&receipts, 1, SECOND);
        let waiting = tokio::spawn(again(&receipts, 1, SECOND).receipt());
        tokio::task::yield_now().await;
        claim.accept(&Bytes::from_static(b"a"), SECOND);
        assert_eq!(waiting.await.expect("no panic").as_deref(), Some(&b"a"[..]));
    }

    #[tokio::test]
    async fn what_failed_is_not_remembered() {
        let receipts = receipts();
        let claim = first(&receipts, 1, SECOND);
        let waiting = again(&receipts, 1, SECOND);
        drop(claim);
        assert_eq!(waiting.receipt().await, None);
        drop(first(&receipts, 1, SECOND));
    }

    #[tokio::test]
    async fn the_oldest_makes_room() {
        let receipts = receipts();
        let accept = |key, now| first(&receipts, key, now).accept(&Bytes::from_static(b"a"), now);
        assert_eq!([accept(1, SECOND), accept(2, SECOND), accept(3, SECOND)], [0, 0, 1]);
        assert!(again(&receipts, 2, SECOND).receipt().await.is_some());
        drop(first(&receipts, 1, SECOND));
    }

    #[test]
    fn another_body_with_the_same_key_is_noticed() {
        let receipts = receipts();
        first(&receipts, 1, SECOND).accept(&Bytes::new(), SECOND);
        assert!(matches!(receipts.see([1; 32], [9; 32], SECOND), Seen::Other));
    }
}
