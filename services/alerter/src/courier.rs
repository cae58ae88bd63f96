use std::time::Duration;

use alerting::{Delivery, DeliveryId, Outcome};
use event::Timestamp;

/// The way out, with the time and the chance that belong to it: a simulation owns all of them.
pub trait Courier {
    /// Now, by a clock that never goes back.
    fn now(&self) -> Timestamp;

    /// A number drawn evenly from all there are.
    fn jitter(&mut self) -> u32;

    /// Begins an attempt, and returns at once. How it ends is told by [`Courier::collect`], once.
    fn send(&mut self, attempt: Attempt);

    /// The attempts that ended since this was asked last.
    fn collect(&mut self) -> Vec<Finished>;

    /// Lets time pass while attempts are in the air and nothing else is to be done.
    fn pass_time(&mut self, span: Duration);
}

/// One message to be sent now.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The index of the route among the settings.
    pub route: usize,
    /// What is sent.
    pub delivery: Delivery,
}

/// An attempt that ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The index of the route among the settings.
    pub route: usize,
    /// The delivery.
    pub id: DeliveryId,
    /// How it ended.
    pub outcome: Outcome,
}
