//! When the lines of a file arrived, which a file does not say.
//!
//! A line arrived at its own time, unless that time is stray: unless fewer than half of the next 1,000 lines come as
//! late as five minutes before it. A stray line arrived when the last believed one did. So neither a line of the year
//! 2099 nor every tenth line being of some later year moves the clock, and an old line among new ones does not hold it
//! back. (`docs/adr/0001-arrival-of-file-lines.md` says why this is not the running minimum.)

use std::collections::VecDeque;
use std::time::Duration;

use event::Timestamp;

/// How many of the following lines are asked.
const LINES_AHEAD: usize = 1000;

/// How much earlier the following lines may be: what effective time allows an event to be ahead of its arrival.
const SLACK: Duration = Duration::from_secs(5 * 60);

/// Something with the time that it claims.
pub(crate) struct Dated<T> {
    pub(crate) time: Timestamp,
    pub(crate) what: T,
}

/// Lines whose arrival is not settled yet.
pub(crate) struct Arrivals<T> {
    ahead: VecDeque<Dated<T>>,
    /// The latest arrival that was believed.
    believed: Option<Timestamp>,
}

impl<T> Default for Arrivals<T> {
    fn default() -> Self {
        Self {
            ahead: VecDeque::new(),
            believed: None,
        }
    }
}

impl<T> Arrivals<T> {
    /// The next line of the file.
    pub(crate) fn push(&mut self, line: Dated<T>) {
        self.ahead.push_back(line);
    }

    /// The oldest line, if enough lines after it are known, with its arrival.
    pub(crate) fn next_settled(&mut self) -> Option<(T, Timestamp)> {
        if self.ahead.len() > LINES_AHEAD {
            self.next_left()
        } else {
            None
        }
    }

    /// The oldest line, judged by however many lines are after it.
    pub(crate) fn next_left(&mut self) -> Option<(T, Timestamp)> {
        let line = self.ahead.pop_front()?;
        let arrival = if self.is_believable(line.time) {
            line.time
        } else {
            let next = self.ahead.iter().map(|line| line.time).min();
            self.believed.or(next).map_or(line.time, |known| known.min(line.time))
        };
        self.believed = self.believed.max(Some(arrival));
        Some((line.what, arrival))
    }

    /// Whether at least half of the following lines are as late as this one, or nearly. Sorted lines are settled after
    /// half of them were asked.
    fn is_believable(&self, time: Timestamp) -> bool {
        let least = time.minus(SLACK);
        let enough = self.ahead.len().div_ceil(2);
        self.ahead.iter().filter(|line| line.time >= least).take(enough).count() >= enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn arrivals(times: &[i64]) -> Vec<i64> {
        let mut arrivals = Arrivals::default();
        let mut settled = Vec::new();
        for time in times {
            arrivals.push(Dated {
                time: Timestamp::from_millis(*time),
                what: (),
            });
            settled.extend(arrivals.next_settled());
        }
        settled.extend(std::iter::from_fn(|| arrivals.next_left()));
        settled.into_iter().map(|((), arrival)| arrival.as_millis()).collect()
    }

    #[test]
    fn sorted_lines_arrive_when_they_say() {
        let times: Vec<i64> = (0..3000).map(|hour| hour * HOUR).collect();
        assert_eq!(arrivals(&times), times);
    }

    #[test]
    fn a_line_of_the_future_arrives_with_its_neighbours() {
        assert_eq!(arrivals(&[0, HOUR, 900 * HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR])[2], HOUR);
        assert_eq!(arrivals(&[900 * HOUR, HOUR, 2 * HOUR, 3 * HOUR])[0], HOUR);
    }

    #[test]
    fn every_tenth_line_of_an_ever_later_future_moves_nothing() {
        let times: Vec<i64> = (0..2500)
            .map(|at| if at % 10 == 9 { (1000 + at) * HOUR } else { at * 1000 })
            .collect();
        let late = arrivals(&times[..2399])
            .into_iter()
            .zip(&times)
            .filter(|(arrival, _)| *arrival > 2500 * 1000)
            .count();
        assert_eq!(late, 0);
    }

    #[test]
    fn an_old_line_holds_nothing_back() {
        let mut times: Vec<i64> = (0..1500).map(|hour| hour * HOUR).collect();
        times[700] = 0;
        assert_eq!(arrivals(&times), times);
    }
}
