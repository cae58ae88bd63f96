use std::ops::Range;
use std::time::Duration;

use crate::error::{Fault, quoted};

/// What a span of time may be.
pub(crate) struct Bounds {
    name: &'static str,
    least: Duration,
    most: Duration,
    shown: &'static str,
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Of `window` and `within`: the state of a rule is kept at least this long.
pub(crate) const WINDOW: Bounds = Bounds {
    name: "a window",
    least: Duration::from_millis(1),
    most: Duration::from_secs(365 * DAY.as_secs()),
    shown: "1ms to 365d",
};
/// Of `keep_alive`.
pub(crate) const KEEP_ALIVE: Bounds = Bounds {
    name: "keep_alive",
    least: Duration::from_millis(1),
    most: WINDOW.most,
    shown: "1ms to 365d",
};
/// Of `suppress`.
pub(crate) const SUPPRESS: Bounds = Bounds {
    name: "suppress",
    least: Duration::from_millis(1),
    most: WINDOW.most,
    shown: "1ms to 365d",
};
/// Of `grace`.
pub(crate) const GRACE: Bounds = Bounds {
    name: "grace",
    least: Duration::ZERO,
    most: DAY,
    shown: "0s to 24h",
};
/// Of `lateness`.
pub(crate) const LATENESS: Bounds = Bounds {
    name: "lateness",
    least: Duration::ZERO,
    most: DAY,
    shown: "0s to 24h",
};

const UNITS: [(&str, Duration); 5] = [
    ("ms", Duration::from_millis(1)),
    ("s", Duration::from_secs(1)),
    ("m", Duration::from_secs(60)),
    ("h", HOUR),
    ("d", DAY),
];

/// A span as it is written: a whole number and a unit, `500ms 90s 5m 24h 1d`.
pub(crate) fn duration(written: &str, at: &Range<usize>, bounds: &Bounds) -> Result<Duration, Fault> {
    let fault = |message: String| Fault::new(at.clone(), message);
    let digits = written
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(written.len());
    let (number, unit) = written.split_at(digits);
    let unit = match UNITS.iter().find(|(known, _)| *known == unit) {
        Some((_, unit)) if !number.is_empty() => *unit,
        _ if !number.is_empty() && unit.is_empty() => {
            return Err(fault(format!(
                "{} has no unit: write it as in 500ms, 90s, 5m, 24h or 1d",
                quoted(written)
            )));
        }
        _ => {
            return Err(fault(format!(
                "{} is not a span of time such as 500ms, 90s, 5m, 24h or 1d",
                quoted(written)
            )));
        }
    };
    let span = number.parse::<u32>().ok().and_then(|number| unit.checked_mul(number));
    span.filter(|span| (bounds.least..=bounds.most).contains(span))
        .ok_or_else(|| {
            fault(format!(
                "{} is from {}, this is {}",
                bounds.name,
                bounds.shown,
                quoted(written)
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str) -> Result<u128, String> {
        duration(written, &(0..1), &WINDOW)
            .map(|span| span.as_millis())
            .map_err(|fault| fault.message)
    }

    #[test]
    fn every_unit() {
        let spans = [
            ("500ms", 500),
            ("90s", 90_000),
            ("5m", 300_000),
            ("24h", 86_400_000),
            ("365d", 31_536_000_000),
        ];
        for (written, millis) in spans {
            assert_eq!(read(written), Ok(millis), "{written}");
        }
    }

    #[test]
    fn what_is_no_span_or_out_of_bounds_is_refused() {
        for written in ["", "5", "m", "-5m", "5 m", "5M", "1h30m", "1.5h", "5min", "٥m"] {
            assert!(read(written).is_err(), "{written}");
        }
        for written in ["0s", "366d", "3650d", "4294967295d", "99999999999999999999d"] {
            assert!(
                read(written).is_err_and(|message| message.contains("1ms to 365d")),
                "{written}"
            );
        }
        assert!(duration("0s", &(0..1), &LATENESS).is_ok());
        assert!(duration("25h", &(0..1), &LATENESS).is_err());
    }
}
