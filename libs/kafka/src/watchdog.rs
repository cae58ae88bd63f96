//! Ends a call that never returns, by ending the process.
//!
//! librdkafka has calls that hang for ever (its issues 3041, 4420, 5456). A worker that hangs holds its partitions,
//! and through an open transaction everybody who reads its topics; a process that died at any moment is the case that
//! everything else is built for.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// One thread that watches the calls of another, one at a time.
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
}

/// The call is watched as long as this lives.
pub(crate) struct Watched<'a>(&'a Shared);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Idle,
    Watching { call: &'static str, since: Instant },
    Over,
}

impl Watchdog {
    /// Aborts the process when a call takes longer than `limit`.
    pub(crate) fn new(limit: Duration) -> Self {
        Self::with(limit, |call, took| {
            tracing::error!(
                call,
                seconds = took.as_secs(),
                "a call to the Kafka client hangs: ending the process"
            );
            std::process::abort();
        })
    }

    fn with(limit: Duration, bark: impl Fn(&'static str, Duration) + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::Idle),
            changed: Condvar::new(),
        });
        let watched = Arc::clone(&shared);
        thread::spawn(move || watch(&watched, limit, bark));
        Self { shared }
    }

    /// Watches a call until the result is dropped.
    pub(crate) fn watch(&self, call: &'static str) -> Watched<'_> {
        self.shared.set(State::Watching {
            call,
            since: Instant::now(),
        });
        Watched(&self.shared)
    }
}

/// Looks eight times within the limit, so that a call outlives it by an eighth at most.
fn watch(shared: &Shared, limit: Duration, bark: impl Fn(&'static str, Duration)) {
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match *state {
            State::Over => return,
            State::Watching { call, since } if since.elapsed() >= limit => {
                bark(call, since.elapsed());
                *state = State::Idle;
            }
            State::Watching { .. } | State::Idle => {}
        }
        state = shared
            .changed
            .wait_timeout(state, limit / 8)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}

impl Shared {
    fn set(&self, state: State) {
        let over = matches!(state, State::Over);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        if over {
            self.changed.notify_all();
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.set(State::Idle);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.set(State::Over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{RecvTimeoutError, sync_channel};

    const LIMIT: Duration = Duration::from_millis(40);

    #[test]
    fn a_call_that_hangs_is_ended_and_one_that_returns_is_not() {
        let (tell, told) = sync_channel(8);
        let watchdog = Watchdog::with(LIMIT, move |call, _| tell.send(call).expect("the test still listens"));
        for _ in 0..4 {
            let _quick = watchdog.watch("quick");
            thread::sleep(LIMIT / 4);
        }
        assert_eq!(told.recv_timeout(LIMIT * 3), Err(RecvTimeoutError::Timeout));
        let hanging = watchdog.watch("hanging");
        assert_eq!(told.recv_timeout(LIMIT * 20), Ok("hanging"));
        drop(hanging);
        drop(watchdog);
        assert_eq!(
            told.recv_timeout(LIMIT * 20),
            Err(RecvTimeoutError::Disconnected),
            "its thread ends with it"
        );
    }
}
