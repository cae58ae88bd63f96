use super::*;

#[test]
fn an_hour_takes_in_its_last_minute() {
    let night = Predicate::Any(vec![
        Predicate::Hour(Comparison::GreaterOrEqual, 22, None),
        Predicate::Hour(Comparison::LessOrEqual, 6, None),
    ]);
    let cases = [
        ("00:00:00", Yes),
        ("06:00:00", Yes),
        ("06:59:59.999", Yes),
        ("07:00:00", No),
        ("21:59:59.999", No),
        ("22:00:00", Yes),
        ("23:59:59.999", Yes),
    ];
    for (time, expected) in cases {
        let moment = format!("2026-03-02T{time}Z");
        assert_eq!(at(&night, &login(), "UTC", &moment), expected, "{time}");
    }
}

#[test]
fn the_hour_is_that_of_the_zone_and_its_summer_time() {
    let cases = [
        ("UTC", "2026-01-15T12:00:00Z", 12),
        ("Europe/Berlin", "2026-01-15T12:00:00Z", 13),
        ("Europe/Berlin", "2026-07-15T12:00:00Z", 14),
        // 2026-03-29: 02:00 becomes 03:00.
        ("Europe/Berlin", "2026-03-29T00:59:59Z", 1),
        ("Europe/Berlin", "2026-03-29T01:00:00Z", 3),
        // 2026-10-25: 03:00 becomes 02:00, which comes twice.
        ("Europe/Berlin", "2026-10-25T00:30:00Z", 2),
        ("Europe/Berlin", "2026-10-25T01:30:00Z", 2),
        ("Europe/Berlin", "2026-10-25T02:00:00Z", 3),
        ("Asia/Kolkata", "2026-01-15T18:29:59Z", 23),
        ("Asia/Kolkata", "2026-01-15T18:30:00Z", 0),
        ("America/Los_Angeles", "1969-12-31T23:59:59Z", 15),
    ];
    for (zone, time, hour) in cases {
        for asked in 0..24 {
            let predicate = Predicate::Hour(Comparison::Equal, asked, None);
            assert_eq!(
                at(&predicate, &login(), zone, time),
                (asked == hour).into(),
                "{zone} {time} {asked}"
            );
            let own = Predicate::Hour(Comparison::Equal, asked, TimeZone::get(zone).ok());
            assert_eq!(at(&own, &login(), "Pacific/Auckland", time), (asked == hour).into());
        }
    }
}

#[test]
fn the_weekday_is_that_of_the_zone() {
    let cases = [
        ("UTC", "2026-03-02T00:00:00Z", 1),
        ("UTC", "2026-03-01T23:59:59Z", 7),
        ("Asia/Tokyo", "2026-03-01T15:00:00Z", 1),
        ("America/New_York", "2026-03-02T04:59:59Z", 7),
        ("America/New_York", "2026-03-02T05:00:00Z", 1),
    ];
    for (zone, time, day) in cases {
        for asked in 1..=7 {
            let predicate = Predicate::Weekday(Comparison::Equal, asked, None);
            assert_eq!(
                at(&predicate, &login(), zone, time),
                (asked == day).into(),
                "{zone} {time} {asked}"
            );
            let own = Predicate::Weekday(Comparison::Equal, asked, TimeZone::get(zone).ok());
            assert_eq!(at(&own, &login(), "Pacific/Auckland", time), (asked == day).into());
        }
        let weekend = Predicate::Weekday(Comparison::GreaterOrEqual, 6, None);
        assert_eq!(at(&weekend, &login(), zone, time), (day >= 6).into());
    }
}

#[test]
fn the_hour_of_a_moment_outside_of_all_calendars_is_unknown() {
    for time in [Timestamp::MIN, Timestamp::MAX] {
        let any_hour = Predicate::Hour(Comparison::GreaterOrEqual, 0, None);
        assert_eq!(ask_at(&any_hour, &login(), "UTC", time), Unknown);
        assert_eq!(ask_at(&not(any_hour), &login(), "UTC", time), Unknown);
    }
}

#[test]
fn a_part_of_a_time_is_that_of_the_zone() {
    use CalendarPart::{Day, Hour, Minute, Month, Week, Year};
    // 2026-03-29 is the Sunday of the 13th week; in Berlin 01:59:30, half a minute before summer.
    let cases = [
        ("UTC", Minute, 59),
        ("UTC", Hour, 0),
        ("UTC", Day, 29),
        ("UTC", Week, 13),
        ("UTC", Month, 3),
        ("UTC", Year, 2026),
        ("Europe/Berlin", Hour, 1),
        ("America/New_York", Day, 28),
        ("America/New_York", Hour, 20),
        ("Pacific/Kiritimati", Hour, 14),
    ];
    for (zone, part, value) in cases {
        for (asked, expected) in [(value - 1, No), (value, Yes), (value + 1, No)] {
            let asked = field("changed", Test::Calendar(part, Comparison::Equal, asked));
            let found = at(&asked, &login(), zone, "1970-01-01T00:00:00Z");
            assert_eq!(found, expected, "{zone} {asked:?}");
        }
    }
    let monday = Event {
        time: Timestamp::parse("2026-12-28T00:00:00Z").unwrap(),
        ..login()
    };
    let week = |comparison, value| field("time", Test::Calendar(Week, comparison, value));
    assert_eq!(ask(&week(Comparison::Equal, 53), &monday), Yes);
    assert_eq!(ask(&week(Comparison::GreaterOrEqual, 53), &monday), Yes);
    assert_eq!(ask(&week(Comparison::Less, 53), &monday), No);
    for name in ["user_id", "attempts", "user_role"] {
        let asked = field(name, Test::Calendar(Year, Comparison::Greater, 0));
        assert_eq!(ask(&asked, &login()), Unknown, "{name} is no time");
    }
}
