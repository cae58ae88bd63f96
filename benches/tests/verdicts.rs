//! Figures of two engines compare only if both do the same.

use benches::{Ours, Rsigma, Shape, queries, records, sigma, six, varied};

fn agree(specs: &[benches::Spec], shape: Shape) {
    let mut ours = Ours::new(queries(specs));
    let theirs = Rsigma::new(&sigma(specs));
    let mut met = 0;
    let records = records(shape, 2048);
    for record in &records {
        let verdict = ours.verdict(record);
        assert_eq!(verdict, theirs.verdict(record), "{}", String::from_utf8_lossy(record));
        met += verdict.len();
    }
    assert!(
        met > records.len() / 50,
        "hardly anything is met: {met} in {}",
        records.len()
    );
    assert!(
        met < records.len() * 2,
        "every event meets everything: {met} in {}",
        records.len()
    );
}

#[test]
fn six_rules_on_narrow_events() {
    agree(&six(), Shape::Narrow);
}

#[test]
fn a_hundred_rules_on_wide_events() {
    agree(&varied(100), Shape::Wide);
}

#[test]
fn a_thousand_rules_on_wide_events() {
    agree(&varied(1000), Shape::WideWithoutRaw);
}
