//! Whether the process is alive and whether it is ready, as its parts say it.
//!
//! *Alive* fails when a restart would help: a worker has not come round for too long. *Ready*
//! fails while work cannot be done, or would be done late: partitions not assigned, state being
//! restored, the broker away. A restart would not help, so it must not cause one.

mod server;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use server::{Endpoint, serve};

/// The health of this process; a clone is the same.
#[derive(Clone, Default)]
pub struct Health(Arc<Parts>);

#[derive(Default)]
struct Parts {
    lives: Mutex<Vec<Alive>>,
    checks: Mutex<Vec<Readiness>>,
}

impl Health {
    /// Adds a part that must show a sign of life at least every `limit`, from now on. A part that is built anew takes the
    /// place of the one of its name, which shows none any more.
    pub fn alive(&self, name: impl Into<String>, limit: Duration) -> Alive {
        let alive = Alive(Arc::new(Life {
            name: name.into(),
            limit,
            since: Instant::now(),
            last_beat: AtomicU64::new(0),
            state: Mutex::new(State::Running),
        }));
        let mut lives = lock(&self.0.lives);
        lives.retain(|life| life.0.name != alive.0.name);
        lives.push(alive.clone());
        alive
    }

    /// Adds a part that the process waits for; it is not ready until it says so. A part that is built anew takes the
    /// place of the one of its name, which will never say so.
    pub fn readiness(&self, name: impl Into<String>) -> Readiness {
        let readiness = Readiness(Arc::new(Check {
            name: name.into(),
            obstacle: Mutex::new(Some("starting".to_owned())),
        }));
        let mut checks = lock(&self.0.checks);
        checks.retain(|check| check.0.name != readiness.0.name);
        checks.push(readiness.clone());
        readiness
    }

    /// What is dead, and why; empty when the process is alive.
    #[must_use]
    pub fn dead(&self) -> Vec<Obstacle> {
        let now = Instant::now();
        let lives = lock(&self.0.lives);
        lives.iter().filter_map(|life| life.obstacle(now)).collect()
    }

    /// What is not ready, and why; empty when the process is ready. A process in which nothing has
    /// announced itself yet is not.
    #[must_use]
    pub fn unready(&self) -> Vec<Obstacle> {
        let checks = lock(&self.0.checks);
        if checks.is_empty() {
            return vec![Obstacle {
                name: "process".to_owned(),
                reason: "starting".to_owned(),
            }];
        }
        checks.iter().filter_map(Readiness::obstacle).collect()
    }
}

/// A part of the process that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The part, as it was registered.
    pub name: String,
    /// What is the matter with it.
    pub reason: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.reason)
    }
}

/// The sign of life of one part; a clone is the same part.
///
/// There is no need to say that a part panicked: it falls silent.
#[derive(Clone)]
pub struct Alive(Arc<Life>);

struct Life {
    name: String,
    limit: Duration,
    since: Instant,
    /// Milliseconds after `since`.
    last_beat: AtomicU64,
    state: Mutex<State>,
}

enum State {
    Running,
    Finished,
    Dead(String),
}

impl Alive {
    /// A sign of life. One clock reading and one atomic store: fit for every turn of a loop.
    pub fn beat(&self) {
        self.0
            .last_beat
            .store(millis(self.0.since.elapsed()), Ordering::Relaxed);
    }

    /// The part ended as it should; no more signs are expected.
    pub fn finish(&self) {
        *lock(&self.0.state) = State::Finished;
    }

    /// The part is beyond help, and the process with it.
    pub fn die(&self, reason: impl Into<String>) {
        *lock(&self.0.state) = State::Dead(reason.into());
    }

    fn obstacle(&self, now: Instant) -> Option<Obstacle> {
        let reason = match &*lock(&self.0.state) {
            State::Finished => return None,
            State::Dead(reason) => reason.clone(),
            State::Running => {
                let last_beat = Duration::from_millis(self.0.last_beat.load(Ordering::Relaxed));
                let running = now.saturating_duration_since(self.0.since);
                let silence = running.saturating_sub(last_beat);
                if silence <= self.0.limit {
                    return None;
                }
                let seconds = silence.as_secs_f64();
                format!("no sign of life for {seconds:.1} s, allowed are {:?}", self.0.limit)
            }
        };
        Some(Obstacle {
            name: self.0.name.clone(),
            reason,
        })
    }
}

/// Whether one part is ready; a clone is the same part.
#[derive(Clone)]
pub struct Readiness(Arc<Check>);

struct Check {
    name: String,
    obstacle: Mutex<Option<String>>,
}

impl Readiness {
    /// The part is ready.
    pub fn ready(&self) {
        *lock(&self.0.obstacle) = None;
    }

    /// The part is not ready, for this reason, which somebody on call reads.
    pub fn not_ready(&self, reason: impl Into<String>) {
        *lock(&self.0.obstacle) = Some(reason.into());
    }

    fn obstacle(&self) -> Option<Obstacle> {
        let reason = lock(&self.0.obstacle).clone()?;
        Some(Obstacle {
            name: self.0.name.clone(),
            reason,
        })
    }
}

/// A thread that panicked leaves a value behind that is still whole: it is only ever replaced.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
